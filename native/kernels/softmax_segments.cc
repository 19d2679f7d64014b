/** The end point that a network predicts for mixed columns; contract and reference in src/kernels/softmax_segments.ts. */

#include "segments.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { X, ENCODING, STARTS, STATE, TIME, PATH_TABLE, Y };
enum { FACTOR };

constexpr float LEAST_NOISE = 0x1p-10f;

/** Factors of the state and of the end in a velocity. */
struct Velocity {
  float state, end;
};

Velocity velocity_at(float t, const Operand& table) {
  const int64_t last = table.shape[0] - 1;
  const float place = t * static_cast<float>(last);
  const int64_t knot = most<int64_t>(0, least<int64_t>(static_cast<int64_t>(place), last - 1));
  const float fraction = place - static_cast<float>(knot);
  const float* const before = table.floats() + 4 * knot;
  float at[4];
  for (int i = 0; i < 4; i++) at[i] = before[i] + fraction * (before[4 + i] - before[i]);
  const float state = at[3] / (at[1] > LEAST_NOISE ? at[1] : LEAST_NOISE);
  return {state, at[2] - at[0] * state};
}

void run(const Call& call, Workers& workers) {
  const int64_t B = call[X].shape[0], D = call[X].shape[1], S = call[STARTS].shape[0] - 1;
  const float *const scale = call[ENCODING].floats(), *const centre = scale + D, *const starts = call[STARTS].floats();
  const bool moves = call[STATE].given(), same = moves && call[TIME].shape[0] == 1;
  const V factor = set1(call.number(FACTOR));
  parallel_ranges(workers, B, most<int64_t>(1, 2048 / D), [&](int64_t from, int64_t to) {
    for (int64_t b = from; b < to; b++) {
      const float *const x = call[X].floats() + b * D, *const state = moves ? call[STATE].floats() + b * D : x;
      float* const y = call[Y].floats() + b * D;
      Velocity velocity{0, 1};
      if (moves) velocity = velocity_at(call[TIME].floats()[same ? 0 : b], call[PATH_TABLE]);
      for (int64_t s = 0; s < S; s++) {
        const Segment is = segment_of(starts, s, D);
        if (is.length == 1) {
          store_lanes(y + is.first, factor * load_lanes(x + is.first, 1), 1);
          continue;
        }
        const Whole whole = whole_of(x + is.first, is.length);
        const V inverse = set1(1.0f / whole.sum);
        for (int64_t d = is.first; d < is.first + is.length; d += W) {
          const int lanes = static_cast<int>(least<int64_t>(W, is.first + is.length - d));
          const V p = exp_of_negative(load_lanes(x + d, lanes) - set1(whole.top)) * inverse;
          V own = load_lanes(scale + d, lanes) * (p - load_lanes(centre + d, lanes));
          if (moves) own = factor * fma(set1(velocity.state), load_lanes(state + d, lanes), set1(velocity.end) * own);
          store_lanes(y + d, own, lanes);
        }
      }
    }
  });
}

}  // namespace

extern const Kernel softmax_segments = {
    "softmax_segments",
    {"x", "encoding", "starts", "state", "t", "path_table", "y"},
    {{"factor", nullptr}},
    run,
    nullptr};

}  // namespace LFM_TARGET
}  // namespace lfm
