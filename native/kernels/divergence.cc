/** Exact trace or Hutchinson's estimate from tangents; contract and reference in src/kernels/divergence.ts. */

#include "kernel.h"
#include "simd/lanes.h"
#include "simd/simd.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { DV, PROBES, DIVERGENCE };

void run(const Call& call, Workers& workers) {
  const int64_t D = call[DV].shape[1], B = call[DIVERGENCE].shape[0], T = call[DV].shape[0] / B;
  const float *const dv = call[DV].floats(), *const probes = call[PROBES].floats();
  parallel_ranges(workers, B, most<int64_t>(1, 8192 / (T * D)), [&](int64_t first, int64_t last) {
    for (int64_t b = first; b < last; b++) {
      float sum = 0;
      for (int64_t tau = 0; tau < T; tau++) {
        const int64_t row = (tau * B + b) * D;
        if (!probes) {
          sum += dv[row + tau];
          continue;
        }
        V products = zero();
        for (int64_t d = 0; d < D; d += W) {
          const int lanes = static_cast<int>(least<int64_t>(W, D - d));
          products = fma(load_lanes(probes + row + d, lanes), load_lanes(dv + row + d, lanes), products);
        }
        sum += horizontal_sum(products);
      }
      call[DIVERGENCE].floats()[b] = probes ? sum / static_cast<float>(T) : sum;
    }
  });
}

}  // namespace

extern const Kernel divergence = {"divergence", {"dv", "probes", "divergence"}, {}, run, nullptr};

}  // namespace LFM_TARGET
}  // namespace lfm
