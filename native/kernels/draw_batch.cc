/** Draws one training batch; contract and reference in src/kernels/draw_batch.ts. */

#include "kernel.h"
#include "kernels/pool.h"
#include "kernels/state.h"
#include "simd/math.h"
#include "simd/philox.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { POOL, POOL_CONDITION, STATE, QUANTILES, RIGHT, PATH_TABLE, X, TIME, TARGET_OUT, CONDITION };
enum {
  SEED_LOW,
  SEED_HIGH,
  STREAM,
  PAIRING,
  PATH,
  SAMPLING,
  DECAY,
  SPREAD,
  LEFT_DECAY,
  LEFT_SPREAD,
  TIMES_PER_PAIR,
  DROP,
  VALUES,
  MIRROR
};
enum { OWN, SHUFFLED, INDEPENDENT, NONE, STORED };
enum { LINEAR, TRIG, TABLE };
enum { EPOCHS, REPLACEMENT };

constexpr const char* pairings[] = {"own", "shuffled", "independent", "none", "stored", nullptr};
constexpr const char* paths[] = {"linear", "trig", "table", nullptr};
constexpr const char* samplings[] = {"epochs", "replacement", nullptr};

constexpr float HALF_PI = 1.57079633f;
/** Columns whose noise is kept at a time. */
constexpr int64_t COLUMNS = 64;

float time_of(float u, const Operand& quantiles) {
  if (!quantiles.given()) return u;
  const int64_t last = quantiles.size() - 1;
  const float* const knots = quantiles.floats();
  if (last == 0) return knots[0];
  const float place = u * static_cast<float>(last);
  const int64_t knot = least<int64_t>(static_cast<int64_t>(place), last - 1);
  const float fraction = place - static_cast<float>(knot);
  return knots[knot] + fraction * (knots[knot + 1] - knots[knot]);
}

/** A, B, A′, B′ of a path given as a table, linear between its knots. */
struct PathAt {
  float left, right, left_rate, right_rate;
};

PathAt path_at(float t, const Operand& table) {
  constexpr int COLUMNS_OF_PATH = 4;
  const int64_t last = table.shape[0] - 1;
  const float place = t * static_cast<float>(last);
  const int64_t knot = least<int64_t>(static_cast<int64_t>(place), last - 1);
  const float fraction = place - static_cast<float>(knot);
  const float* const before = table.floats() + knot * COLUMNS_OF_PATH;
  float values[COLUMNS_OF_PATH];
  for (int i = 0; i < COLUMNS_OF_PATH; i++) values[i] = before[i] + fraction * (before[COLUMNS_OF_PATH + i] - before[i]);
  return {values[0], values[1], values[2], values[3]};
}

/** Four columns of standard normals, beginning with a multiple of four, for each lane's index. */
void normals(const Seed& seed, Purpose purpose, U index, uint32_t step, int64_t column, float (*out)[W]) {
  const Words words = draw(seed, purpose, index, set1_uint(step), static_cast<uint32_t>(column >> 2));
  V drawn[4];
  normal_pair(words.word[0], words.word[1], drawn[0], drawn[1]);
  normal_pair(words.word[2], words.word[3], drawn[2], drawn[3]);
  for (int j = 0; j < 4; j++) store(out[j], drawn[j]);
}

void run(const Call& call, Workers& workers) {
  const Seed seed{call.word(SEED_LOW), call.word(SEED_HIGH), call.word(STREAM)};
  const int64_t D = call[X].shape[1], B = call[X].shape[0], M = call.word(TIMES_PER_PAIR), P = B / M;
  const int64_t C = call[CONDITION].given() ? call[CONDITION].shape[1] : 0;
  const uint32_t n = static_cast<uint32_t>(call[POOL].shape[0]), pairs = static_cast<uint32_t>(P);
  const uint32_t step = call[STATE].words()[STATE_STEP];
  const int pairing = call.choice(PAIRING), path = call.choice(PATH);
  const bool epochs = call.choice(SAMPLING) == EPOCHS;
  const float decay = call.number(DECAY), spread = call.number(SPREAD);
  const float drop = call.number(DROP);
  const float left_decay = call.number(LEFT_DECAY), left_spread = call.number(LEFT_SPREAD);
  const bool left_noise = left_decay != 1 || left_spread != 0;
  const uint32_t per_epoch = epochs ? n / pairs : 1;
  const Permutation rows = Permutation::of(seed, PURPOSE_SHUFFLE_ROWS, step / per_epoch, n);
  const Permutation batch = Permutation::of(seed, PURPOSE_SHUFFLE_BATCH, step, pairs);
  const uint32_t start = step % per_epoch * pairs;
  const Pool pool{call[POOL], call.choice(VALUES) == PIXELS, call.word(MIRROR)};
  const Pool stored{call[RIGHT], false, call.word(MIRROR)};

  parallel_ranges(workers, P, W * most<int64_t>(1, 128 / (W * M)), [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; p += W) {
      const int lanes = static_cast<int>(least<int64_t>(W, end - p));
      const U pair = lane_numbers(static_cast<uint32_t>(p));
      const Words row_words = draw(seed, PURPOSE_ROW, pair, set1_uint(step), 0);
      const U others = pairing == SHUFFLED ? batch.at(pair) : pair;
      const U left_rows = epochs ? rows.at(pair + start) : pair;
      const U right_rows = epochs && pairing == SHUFFLED ? rows.at(others + start) : left_rows;
      uint32_t left[W], right[W];
      bool left_mirrored[W] = {}, right_mirrored[W] = {};
      for (int lane = 0; lane < lanes; lane++) {
        left[lane] = epochs ? left_rows[lane] : below(row_words.word[0][lane], n);
        right[lane] = left[lane];
        if (pairing == SHUFFLED) {
          const uint32_t other = others[lane];
          uint32_t words[4] = {};
          if (!epochs) draw_one(seed, PURPOSE_ROW, other, step, 0, words);
          right[lane] = epochs ? right_rows[lane] : below(words[0], n);
          if (pool.mirror > 0) {
            draw_one(seed, PURPOSE_MIRROR, other, step, 0, words);
            right_mirrored[lane] = words[0] & 1;
          }
        } else if (pairing == INDEPENDENT) {
          right[lane] = below(row_words.word[1][lane], n);
        }
      }
      if (pool.mirror > 0) {
        const Words sides = draw(seed, PURPOSE_MIRROR, pair, set1_uint(step), 0);
        for (int lane = 0; lane < lanes; lane++) {
          left_mirrored[lane] = sides.word[0][lane] & 1;
          if (pairing == INDEPENDENT) right_mirrored[lane] = sides.word[1][lane] & 1;
          if (pairing == OWN) right_mirrored[lane] = left_mirrored[lane];
        }
      }
      for (int64_t column = 0; column < D; column += COLUMNS) {
        const int64_t width = least(COLUMNS, D - column);
        float noise[COLUMNS][W], noise_of_left[COLUMNS][W];
        for (int64_t d = 0; d < width; d += 4) {
          if (pairing != STORED) normals(seed, PURPOSE_NOISE, pair, step, column + d, noise + d);
          if (left_noise) normals(seed, PURPOSE_LEFT_NOISE, pair, step, column + d, noise_of_left + d);
        }
        for (int64_t m = 0; m < M; m++) {
          const U index = pair * static_cast<uint32_t>(M) + static_cast<uint32_t>(m);
          float times[W], drops[W], sines[W], cosines[W];
          const Words chances = draw(seed, PURPOSE_TIME, index, set1_uint(step), 0);
          store(times, uniform(chances.word[0]));
          store(drops, uniform(chances.word[1]));
          for (int lane = 0; lane < lanes; lane++) times[lane] = time_of(times[lane], call[QUANTILES]);
          if (path == TRIG) {
            V sine, cosine;
            sin_cos(load(times) * set1(HALF_PI), sine, cosine);
            store(sines, sine);
            store(cosines, cosine);
          }
          for (int lane = 0; lane < lanes; lane++) {
            const int64_t i = (p + lane) * M + m;
            const float t = times[lane];
            call[TIME].floats()[i] = t;
            float from_space[COLUMNS], to_space[COLUMNS];
            const float* from = pool.values(left[lane], column, width, left_mirrored[lane], from_space);
            if (left_noise) {
              for (int64_t d = 0; d < width; d++) {
                from_space[d] = left_decay * from[d] + left_spread * noise_of_left[d][lane];
              }
              from = from_space;
            }
            const float* to = from;
            if (pairing == SHUFFLED || pairing == INDEPENDENT) {
              to = pool.values(right[lane], column, width, right_mirrored[lane], to_space);
            } else if (pairing == STORED) {
              to = stored.values(left[lane], column, width, left_mirrored[lane], to_space);
            }
            PathAt at{};
            if (path == TABLE) at = path_at(t, call[PATH_TABLE]);
            float* const x = call[X].floats() + i * D + column;
            float* const target = call[TARGET_OUT].floats() + i * D + column;
            for (int64_t d = 0; d < width; d++) {
              const float xl = from[d];
              float xr = to[d];
              if (pairing == NONE) xr = noise[d][lane];
              else if (pairing != STORED) xr = decay * xr + spread * noise[d][lane];
              if (path == LINEAR) {
                x[d] = xl + t * (xr - xl);
                target[d] = xr - xl;
              } else if (path == TRIG) {
                x[d] = cosines[lane] * xl + sines[lane] * xr;
                target[d] = HALF_PI * (cosines[lane] * xr - sines[lane] * xl);
              } else {
                x[d] = at.left * xl + at.right * xr;
                target[d] = at.left_rate * xl + at.right_rate * xr;
              }
            }
            if (column > 0) continue;
            const bool dropped = drops[lane] < drop;
            for (int64_t c = 0; c < C; c++) {
              const float own = call[POOL_CONDITION].floats()[int64_t{left[lane]} * C + c];
              call[CONDITION].floats()[i * C + c] = dropped ? 0 : own;
            }
          }
        }
      }
    }
  });
}

}  // namespace

extern const Kernel draw_batch = {
    "draw_batch",
    {"pool", "pool_condition", "state", "quantiles", "right", "path_table", "x", "t", "target", "condition"},
    {{"seedLow", nullptr},
     {"seedHigh", nullptr},
     {"stream", nullptr},
     {"pairing", pairings},
     {"path", paths},
     {"sampling", samplings},
     {"decay", nullptr},
     {"spread", nullptr},
     {"leftDecay", nullptr},
     {"leftSpread", nullptr},
     {"timesPerPair", nullptr},
     {"drop", nullptr},
     {"values", pool_values},
     {"mirror", nullptr}},
    run,
    nullptr};

}  // namespace LFM_TARGET
}  // namespace lfm
