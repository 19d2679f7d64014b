/** A stage's input with a time and step for each row; contract and reference in src/kernels/adaptive_stage.ts. */

#include "kernel.h"
#include "simd/lanes.h"
#include "simd/simd.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { Y, STAGES, TIME, STEP, OUT, STAGE_TIME };
enum { COEFFICIENTS, NODE };

void run(const Call& call, Workers& workers) {
  const int64_t B = call[Y].shape[0], D = call[Y].shape[1], stride = call[STAGES].shape[1];
  const Attribute& coefficients = call.attributes[COEFFICIENTS];
  const int64_t grain = most<int64_t>(1, 8192 / D);
  parallel_ranges(workers, B, grain, [&](int64_t first, int64_t last) {
    for (int64_t b = first; b < last; b++) {
      const float h = call[STEP].floats()[b];
      call[STAGE_TIME].floats()[b] = call[TIME].floats()[b] + call.number(NODE) * h;
      for (int64_t d = 0; d < D; d += W) {
        const int lanes = static_cast<int>(least<int64_t>(W, D - d));
        const int64_t i = b * D + d;
        V sum = zero();
        for (int s = 0; s < coefficients.count; s++) {
          const V stage = load_lanes(call[STAGES].floats() + s * stride + i, lanes);
          sum = fma(set1(static_cast<float>(coefficients.list[s])), stage, sum);
        }
        store_lanes(call[OUT].floats() + i, fma(set1(h), sum, load_lanes(call[Y].floats() + i, lanes)), lanes);
      }
    }
  });
}

}  // namespace

extern const Kernel adaptive_stage = {"adaptive_stage",
                               {"y", "stages", "t", "h", "out", "stage_time"},
                               {{"coefficients", nullptr}, {"node", nullptr}},
                               run,
                               nullptr};

}  // namespace LFM_TARGET
}  // namespace lfm
