/** row_loss and delta of a velocity in memory; contract and reference in src/kernels/flow_loss.ts. */

#include "kernel.h"
#include "simd/lanes.h"
#include "simd/simd.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { VELOCITY, GOAL, DELTA, ROW_LOSS };
enum { SCALE, FIRST_ROW };

void run(const Call& call, Workers& workers) {
  const int64_t B = call[VELOCITY].shape[0], D = call[VELOCITY].shape[1], R = call[ROW_LOSS].shape[0];
  const double scale = call.attributes[SCALE].number;
  const V factor = set1(static_cast<float>(2.0 / (static_cast<double>(R) * static_cast<double>(D) * scale)));
  const float share = static_cast<float>(1.0 / (static_cast<double>(D) * scale * scale));
  float* const row_loss = call[ROW_LOSS].floats() + call.choice(FIRST_ROW);
  parallel(workers, B, [&](int64_t b, int) {
    const float *const v = call[VELOCITY].floats() + b * D, *const target = call[GOAL].floats() + b * D;
    float* const delta = call[DELTA].floats() + b * D;
    V sum = zero();
    for (int64_t d = 0; d < D; d += W) {
      const int lanes = static_cast<int>(least<int64_t>(W, D - d));
      const V residual = load_lanes(v + d, lanes) - load_lanes(target + d, lanes);
      store_lanes(delta + d, residual * factor, lanes);
      sum = fma(residual, residual, sum);
    }
    row_loss[b] = horizontal_sum(sum) * share;
  });
}

}  // namespace

extern const Kernel flow_loss = {"flow_loss",
                          {"v", "target", "delta", "row_loss"},
                          {{"scale", nullptr}, {"firstRow", nullptr}},
                          run,
                          nullptr};

}  // namespace LFM_TARGET
}  // namespace lfm
