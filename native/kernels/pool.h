/** Rows of the training pool, floats or pixels, mirrored or not; see src/kernels/pool.ts. */
#pragma once

#include "kernel.h"

namespace lfm {
namespace LFM_TARGET {

constexpr const char* pool_values[] = {"floats", "pixels", nullptr};
enum { FLOATS, PIXELS };

struct Pool {
  const Operand& rows;
  bool pixels;
  /** width of a picture; 0: none is mirrored */
  int64_t mirror;

  /** `width` values of a row from `column` on: in the row itself if they need no conversion, else in `space`. */
  const float* values(uint32_t row, int64_t column, int64_t width, bool mirrored, float* space) const {
    const int64_t words = rows.shape[1];
    const float* const floats = rows.floats() + int64_t{row} * words;
    if (!pixels && !mirrored) return floats + column;
    const uint8_t* const bytes = reinterpret_cast<const uint8_t*>(rows.words() + int64_t{row} * words);
    // where in its row of pixels the first column is
    int64_t at = mirrored ? column % mirror : 0;
    for (int64_t d = 0; d < width; d++) {
      int64_t from = column + d;
      if (mirrored) {
        from += mirror - 1 - 2 * at;
        at = at + 1 == mirror ? 0 : at + 1;
      }
      space[d] = pixels ? (static_cast<float>(bytes[from]) - 127.5f) / 127.5f : floats[from];
    }
    return space;
  }
};

}  // namespace LFM_TARGET
}  // namespace lfm
