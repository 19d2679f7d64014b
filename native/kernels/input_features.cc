/** [x, condition, sin fx, cos fx, …]; contract and reference in src/kernels/input_features.ts. */

#include "kernel.h"
#include "simd/lanes.h"
#include "simd/math.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { X, CONDITION, FREQUENCIES, Y };

void run(const Call& call, Workers& workers) {
  const int64_t B = call[X].shape[0], D = call[X].shape[1], K = call[Y].shape[1];
  const int64_t C = call[CONDITION].given() ? call[CONDITION].shape[1] : 0;
  const int64_t F = call[FREQUENCIES].given() ? call[FREQUENCIES].shape[0] : 0;
  const float *const x = call[X].floats(), *const condition = call[CONDITION].floats();
  parallel_ranges(workers, B, most<int64_t>(1, 8192 / K), [&](int64_t first, int64_t last) {
    for (int64_t b = first; b < last; b++) {
      float* const y = call[Y].floats() + b * K;
      for (int64_t d = 0; d < D; d++) y[d] = x[b * D + d];
      for (int64_t c = 0; c < C; c++) y[D + c] = condition[b * C + c];
    }
    // vectors run along (row, dimension) pairs, which lie together in x
    for (int64_t i = first * D; F > 0 && i < last * D; i += W) {
      const int lanes = static_cast<int>(least<int64_t>(W, last * D - i));
      const V value = load_lanes(x + i, lanes);
      for (int64_t f = 0; f < F; f++) {
        V sine, cosine;
        sin_cos(set1(call[FREQUENCIES].floats()[f]) * value, sine, cosine);
        float sines[W], cosines[W];
        store(sines, sine);
        store(cosines, cosine);
        for (int lane = 0; lane < lanes; lane++) {
          const int64_t b = (i + lane) / D, d = (i + lane) % D;
          float* const y = call[Y].floats() + b * K + D + C + 2 * f * D + d;
          y[0] = sines[lane];
          y[D] = cosines[lane];
        }
      }
    }
  });
}

}  // namespace

extern const Kernel input_features = {"input_features", {"x", "condition", "frequencies", "y"}, {}, run, nullptr};

}  // namespace LFM_TARGET
}  // namespace lfm
