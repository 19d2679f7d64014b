/** total ← total + part; contract and reference in src/kernels/accumulate.ts. */

#include "kernel.h"
#include "simd/lanes.h"
#include "simd/simd.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { PART, TOTAL };

void run(const Call& call, Workers& workers) {
  const float* const part = call[PART].floats();
  float* const total = call[TOTAL].floats();
  parallel_ranges(workers, call[TOTAL].size(), 16384, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; i += W) {
      const int lanes = static_cast<int>(least<int64_t>(W, last - i));
      store_lanes(total + i, load_lanes(total + i, lanes) + load_lanes(part + i, lanes), lanes);
    }
  });
}

}  // namespace

extern const Kernel accumulate = {"accumulate", {"part", "total"}, {}, run, nullptr};

}  // namespace LFM_TARGET
}  // namespace lfm
