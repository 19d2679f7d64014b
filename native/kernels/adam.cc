/** One step of Adam or AdamW with clipping and a moving average; contract and reference in src/kernels/adam.ts. */

#include "kernel.h"
#include "kernels/state.h"
#include "simd/lanes.h"
#include "simd/math.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { PARAMETERS, GRADIENT, MOMENT, SQUARE, AVERAGE, PARTIALS, TABLE, STATE };
enum { BETA1, BETA2, EPSILON, WEIGHT_DECAY, DECOUPLED, CLIP };
constexpr int64_t TABLE_COLUMNS = 4;

void run(const Call& call, Workers& workers) {
  uint32_t* const state = call[STATE].words();
  if (state[STATE_HALTED] != 0) return;
  float squares = 0;
  for (int64_t g = 0; g < call[PARTIALS].size(); g++) squares += call[PARTIALS].floats()[g];
  if (!(squares - squares == 0)) {
    state[STATE_SKIPPED]++;
    if (++state[STATE_SKIPPED_IN_A_ROW] >= SKIPS_BEFORE_HALT) state[STATE_HALTED] = HALTED_GRADIENT;
    return;
  }
  state[STATE_SKIPPED_IN_A_ROW] = 0;

  const float norm = __builtin_sqrtf(squares);
  const float clip = call.number(CLIP);
  const V clipping = set1(clip > 0 && norm > clip ? clip / norm : 1.0f);
  // A step beyond the table would be a defect of the program; reading the last row is harmless.
  const int64_t step = most<int64_t>(0, least<int64_t>(int64_t{state[STATE_STEP]} - 1, call[TABLE].shape[0] - 1));
  const float* const row = call[TABLE].floats() + step * TABLE_COLUMNS;
  const float rate = row[0];
  const V correction1 = set1(rate * row[1]), correction2 = set1(row[2]), epsilon = set1(call.number(EPSILON));
  const V keep = set1(row[3]), take = set1(1.0f - row[3]);
  const bool decoupled = call.choice(DECOUPLED) != 0;
  const V added_decay = set1(decoupled ? 0.0f : call.number(WEIGHT_DECAY));
  const V shrink = set1(decoupled ? rate * call.number(WEIGHT_DECAY) : 0.0f);
  const double b1 = call.attributes[BETA1].number, b2 = call.attributes[BETA2].number;
  const V beta1 = set1(static_cast<float>(b1)), rest1 = set1(static_cast<float>(1 - b1));
  const V beta2 = set1(static_cast<float>(b2)), rest2 = set1(static_cast<float>(1 - b2));
  float *const parameters = call[PARAMETERS].floats(), *const m = call[MOMENT].floats();
  float *const v = call[SQUARE].floats(), *const average = call[AVERAGE].floats();
  const float* const gradient = call[GRADIENT].floats();

  parallel_ranges(workers, call[PARAMETERS].size(), 2048, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; i += W) {
      const int lanes = static_cast<int>(least<int64_t>(W, last - i));
      const V p = load_lanes(parameters + i, lanes);
      const V g = fma(added_decay, p, clipping * load_lanes(gradient + i, lanes));
      const V new_m = fma(beta1, load_lanes(m + i, lanes), rest1 * g);
      const V new_v = fma(beta2, load_lanes(v + i, lanes), rest2 * g * g);
      const V next = fnma(shrink, p, p) - correction1 * new_m / (sqrt(new_v * correction2) + epsilon);
      store_lanes(m + i, new_m, lanes);
      store_lanes(v + i, new_v, lanes);
      store_lanes(parameters + i, next, lanes);
      if (average) store_lanes(average + i, fma(keep, load_lanes(average + i, lanes), take * next), lanes);
    }
  });
}

}  // namespace

extern const Kernel adam = {"adam",
                     {"parameters", "gradient", "m", "v", "average", "partials", "table", "state"},
                     {{"beta1", nullptr},
                      {"beta2", nullptr},
                      {"epsilon", nullptr},
                      {"weightDecay", nullptr},
                      {"decoupled", nullptr},
                      {"clip", nullptr}},
                     run,
                     nullptr};

}  // namespace LFM_TARGET
}  // namespace lfm
