/** The end point that a network predicts for mixed columns; contract and reference in src/kernels/softmax_segments.ts. */

#include "segments.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { X, ENCODING, STARTS, STATE, COEFFICIENTS, Y };

void run(const Call& call, Workers& workers) {
  const int64_t B = call[X].shape[0], D = call[X].shape[1], S = call[STARTS].shape[0] - 1;
  const float *const scale = call[ENCODING].floats(), *const centre = scale + D;
  const bool combined = call[STATE].given();
  parallel_ranges(workers, B, most<int64_t>(1, 2048 / D), [&](int64_t from, int64_t to) {
    for (int64_t b = from; b < to; b++) {
      const float *const x = call[X].floats() + b * D, *const state = combined ? call[STATE].floats() + b * D : x;
      float* const y = call[Y].floats() + b * D;
      const float* const pair =
          combined ? call[COEFFICIENTS].floats() + (call[COEFFICIENTS].shape[0] == 1 ? 0 : 2 * b) : nullptr;
      const auto put = [&](int64_t d, V own, int lanes) __attribute__((always_inline)) {
        if (combined) own = fma(set1(pair[0]), load_lanes(state + d, lanes), set1(pair[1]) * own);
        store_lanes(y + d, own, lanes);
      };
      for (int64_t s = 0; s < S; s++) {
        const Segment is = segment_of(call[STARTS].words(), s, D);
        if (is.length == 1) {
          put(is.first, load_lanes(x + is.first, 1), 1);
          continue;
        }
        const Whole whole = whole_of(x + is.first, is.length);
        const V inverse = set1(1.0f / whole.sum);
        for (int64_t d = is.first; d < is.first + is.length; d += W) {
          const int lanes = static_cast<int>(least<int64_t>(W, is.first + is.length - d));
          const V p = exp_of_negative(load_lanes(x + d, lanes) - set1(whole.top)) * inverse;
          put(d, load_lanes(scale + d, lanes) * (p - load_lanes(centre + d, lanes)), lanes);
        }
      }
    }
  });
}

}  // namespace

extern const Kernel softmax_segments = {
    "softmax_segments", {"x", "encoding", "starts", "state", "coefficients", "y"}, {}, run, nullptr};

}  // namespace LFM_TARGET
}  // namespace lfm
