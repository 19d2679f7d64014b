/** out = y + Σ_s coefficients[s]·stages[s]; contract and reference in src/kernels/stage_combine.ts. */

#include "kernel.h"
#include "simd/lanes.h"
#include "simd/simd.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { Y, STAGES, OUT };
enum { COEFFICIENTS };

void run(const Call& call, Workers& workers) {
  const Attribute& coefficients = call.attributes[COEFFICIENTS];
  const int64_t stride = call[STAGES].shape[1];
  float* const out = call[OUT].floats();
  parallel_ranges(workers, call[Y].size(), 16384, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; i += W) {
      const int lanes = static_cast<int>(least<int64_t>(W, last - i));
      V sum = load_lanes(call[Y].floats() + i, lanes);
      for (int s = 0; s < coefficients.count; s++) {
        const float c = static_cast<float>(coefficients.list[s]);
        if (c != 0) sum = fma(set1(c), load_lanes(call[STAGES].floats() + s * stride + i, lanes), sum);
      }
      store_lanes(out + i, sum, lanes);
    }
  });
}

}  // namespace

extern const Kernel stage_combine = {
    "stage_combine", {"y", "stages", "out"}, {{"coefficients", nullptr}}, run, nullptr};

}  // namespace LFM_TARGET
}  // namespace lfm
