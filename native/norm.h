/**
 * What group normalisation's forward and backward pass share (src/kernels/group_norm.ts): a picture's channels with the statistics of
 * their groups, the modulation of a picture, and dropout. A picture is one task: its pixels are read several times while
 * they are in the second-level cache.
 */
#pragma once

#include "kernels/state.h"
#include "patches.h"
#include "simd/interleave.h"
#include "simd/lanes.h"
#include "simd/philox.h"
#include "simd/simd.h"
#include "strip.h"

namespace lfm {
namespace LFM_TARGET {

/** Pixels whose dropout factors are computed at a time. */
constexpr int64_t DROPOUT_PIXELS = 8;

/** Factors of dropout for consecutive elements of the batch. */
struct Dropout {
  Seed seed;
  uint32_t block, step, threshold;
  float kept;
  /** number of this operand's first element in the batch */
  uint64_t first;

  bool on() const { return threshold > 0; }

  /** Elements [element, element + count) of this operand; `out` has 4·W floats of room before and after. */
  void factors(int64_t element, int64_t count, float* out) const {
    const uint64_t begin = first + static_cast<uint64_t>(element);
    // begins with the group of four that the first element is in
    float* to = out - begin % 4;
    for (uint64_t group = begin / 4; to < out + count; group += W, to += 4 * W) {
      const Words words =
          draw(seed, PURPOSE_DROPOUT, lane_numbers(static_cast<uint32_t>(group)), set1_uint(step), block);
      // word w of a group stands at its place w: the four words are interleaved
      U factor[4];
      for (int w = 0; w < 4; w++) factor[w] = factors_of(words.word[w]);
      U even[2], odd[2], ordered[4];
      interleave(factor[0], factor[2], even[0], even[1]);
      interleave(factor[1], factor[3], odd[0], odd[1]);
      interleave(even[0], odd[0], ordered[0], ordered[1]);
      interleave(even[1], odd[1], ordered[2], ordered[3]);
      for (int v = 0; v < 4; v++) store(to + v * W, as_float((I)ordered[v]));
    }
  }

  /** The bits of each factor: zero where a word is below the threshold. */
  LFM_INLINE U factors_of(U word) const {
    const I dropped = (I)(word >> 8) < set1_int(static_cast<int32_t>(threshold));
    return (U)(~dropped & as_int(set1(kept)));
  }

  /** Floats of a buffer for so many elements, and where in it `out` is. */
  static int64_t room(int64_t count) { return round_up(count + 8 * W, 16); }
  static float* start(float* buffer) { return buffer + 4 * W; }
};

/** gamma·(1 + scale) and so on, of the channels of one picture. */
struct Modulation {
  const float* scale;
  const float* shift;

  LFM_INLINE V factor(int64_t c, int lanes) const {
    return scale ? load_lanes(scale + c, lanes) + set1(1.0f) : set1(1.0f);
  }
  LFM_INLINE V offset(int64_t c, int lanes) const { return shift ? load_lanes(shift + c, lanes) : zero(); }
};

inline Modulation modulation_of(const Operand& operand, int64_t first, int64_t C, int64_t b) {
  if (!operand.given()) return {nullptr, nullptr};
  const float* const row = operand.floats() + (operand.shape[0] == 1 ? 0 : b) * operand.shape[1] + first;
  return {row, row + C};
}

inline Dropout dropout_of(const Operand& state, double rate, const Seed& seed, uint32_t block,
                          int64_t first_row, int64_t row_size) {
  // as Math.round of the contract has it
  const uint32_t threshold = static_cast<uint32_t>(rate * 16777216.0 + 0.5);
  return {seed,
          block,
          state.given() ? state.words()[STATE_STEP] : 0u,
          threshold,
          static_cast<float>(1.0 / (1.0 - rate)),
          static_cast<uint64_t>(first_row) * static_cast<uint64_t>(row_size)};
}

}  // namespace LFM_TARGET
}  // namespace lfm
