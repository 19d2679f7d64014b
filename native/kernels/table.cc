/** All kernels and fused composites of an instruction set, as kernels.inc lists them. */

#include "kernel.h"
#include "measure.h"

namespace lfm {
namespace LFM_TARGET {

#define KERNEL(folder, name) extern const Kernel name;
#include "kernels/kernels.inc"
#undef KERNEL

static const Kernel* const all[] = {
#define KERNEL(folder, name) &name,
#include "kernels/kernels.inc"
#undef KERNEL
};

const KernelTable table = {all, sizeof all / sizeof all[0], multiply_adds, evaluate, philox_words};

}  // namespace LFM_TARGET
}  // namespace lfm
