/**
 * Products over a *strip*: a range of rows that one thread takes through all layers of a network while it stays in its
 * cache. A strip is stored in panels, [panel][row][PANEL], which both kinds of product read without packing: row
 * products broadcast from PANEL-strided rows (the depth goes through the panels), reductions over rows find both
 * operands packed. Columns after the last may hold anything; nothing that is read depends on them.
 */
#pragma once

#include "product.h"

namespace lfm {
namespace LFM_TARGET {

struct Strip {
  float* data;
  int64_t rows;

  /** where the panel of a column begins that is a multiple of PANEL */
  float* panel(int64_t column) const { return data + column * rows; }
  float* at(int64_t row, int64_t column) const {
    return panel(column / PANEL * PANEL) + row * PANEL + column % PANEL;
  }
  static int64_t floats(int64_t rows, int64_t columns) { return rows * round_up(columns, PANEL); }
};

/**
 * Memory that will be used soon: up to MOST ranges, of which the micro-kernels prefetch some lines every FETCH_DEPTH steps of
 * depth, beside their own work. (Prefetching all lines of a tile at once would hold up its loads.)
 */
struct Fetch {
  static constexpr int MOST = 4;
  static constexpr int64_t LINE = 16;  // floats
  struct Range {
    const float* at;
    const float* row_end;
    /** floats of a row, and from its last line to the next row */
    int64_t width, gap;
    /** lines that are left, and those of one step */
    int64_t lines, share;
  } ranges[MOST];
  int count = 0;

  /** `rows` rows of `width` floats, `pitch` apart. */
  LFM_INLINE void add(const float* from, int64_t rows, int64_t width, int64_t pitch) {
    if (count == MOST || rows <= 0 || width <= 0) return;
    if (width == pitch) {
      width = pitch = rows * width;
      rows = 1;
    }
    const int64_t lines = divide_up(width, LINE);
    ranges[count++] = {from, from + width, width, pitch - lines * LINE, rows * lines, 0};
  }
  LFM_INLINE void add(const float* from, int64_t floats) { add(from, 1, floats, floats); }
  /** Spreads what was added over `steps` calls of step(). */
  LFM_INLINE void spread(int64_t steps) {
    for (int i = 0; i < count; i++) ranges[i].share = divide_up(ranges[i].lines, most<int64_t>(steps, 1));
  }
  LFM_INLINE void step() {
    for (int i = 0; i < count; i++) {
      Range& range = ranges[i];
      const int64_t lines = least(range.share, range.lines);
      range.lines -= lines;
      for (int64_t line = 0; line < lines; line++) {
        __builtin_prefetch(range.at, 0, 3);
        range.at += LINE;
        if (range.at >= range.row_end) {
          range.at += range.gap;
          range.row_end = range.at + range.width;
        }
      }
    }
  }
};
/** Depth between two steps of a Fetch: a panel of a strip, or as many rows of a reduction. */
constexpr int FETCH_DEPTH = PANEL;

/** c[rows × vectors·W], leading extent vectors·W, of a's rows (PANEL apart, the next panel `stride` after) and b packed. */
typedef void (*StripKernel)(int64_t depth, const float* a, int64_t stride, const float* b, float* c, Fetch& fetch);
extern const StripKernel micro_strip[BLOCK_VECTORS][BLOCK_ROWS];

/** Dot products of up to four rows from `a` on with the columns of b; row r's results at out + r·W. */
void strip_dots(const float* a, int64_t stride, int rows, const Packed& b, float* out);

/** Packs `out.rows` rows of `columns` elements, as the view has them, into a strip. */
void pack_strip(const View& source, int64_t columns, const Strip& out);

/**
 * a·b, tile by tile: epilogue(tile, stride, row, rows of the tile, column, columns of the tile); the tile has whole
 * vectors, of which the columns beyond the result are garbage.
 */
template <class Epilogue>
LFM_INLINE void strip_product(const Strip& a, const Packed& b, Epilogue epilogue) {
  Fetch nothing;
  alignas(64) float tile[BLOCK_ROWS * PANEL];
  const int64_t stride = a.rows * PANEL;
  if (b.dots()) {
    for (int64_t row = 0; row < a.rows; row += 4) {
      const int count = static_cast<int>(least<int64_t>(4, a.rows - row));
      strip_dots(a.data + row * PANEL, stride, count, b, tile);
      epilogue(tile, W, row, count, int64_t{0}, static_cast<int>(b.columns));
    }
    return;
  }
  // tiles as even as possible: one of few rows would wait for the latency of its multiply-adds
  const int64_t tiles = divide_up(a.rows, BLOCK_ROWS);
  const auto multiply = [&](int64_t i, int64_t column) __attribute__((always_inline)) {
    const int64_t row = i * a.rows / tiles;
    const int count = static_cast<int>((i + 1) * a.rows / tiles - row);
    const int width = static_cast<int>(least<int64_t>(PANEL, b.columns - column));
    const int vectors = (width + W - 1) / W;
    micro_strip[vectors - 1][count - 1](b.depth, a.data + row * PANEL, stride, b.data + column * b.depth, tile, nothing);
    epilogue(tile, vectors * W, row, count, column, width);
  };
  // If the right operand stays in the second-level cache, all of it is used for each tile of rows; if it is larger, each panel
  // is used for all rows of the strip.
  if (b.depth * b.columns <= streamed_floats()) {
    for (int64_t i = 0; i < tiles; i++) {
      for (int64_t column = 0; column < b.columns; column += PANEL) multiply(i, column);
    }
  } else {
    for (int64_t column = 0; column < b.columns; column += PANEL) {
      for (int64_t i = 0; i < tiles; i++) multiply(i, column);
    }
  }
}

/** c[m·PANEL + n] = or += Σ_r a[r·a_stride + m] b[r·b_stride + n] */
typedef void (*ReductionKernel)(int64_t rows, const float* a, int64_t a_stride, const float* b, int64_t b_stride,
                                bool accumulate, float* c, Fetch& fetch);
extern const ReductionKernel micro_reduction[BLOCK_VECTORS][BLOCK_ROWS];

/**
 * c = aᵀ b, or with `accumulate` c += aᵀ b, summed over the rows of both in order; a has M columns, b has N. c lies like
 * a strip of M rows.
 */
void strip_reduction(const Strip& a, int64_t M, const Strip& b, int64_t N, bool accumulate, float* c);

/**
 * sums[n] = or += Σ_r from[r·stride + n] for n < columns, in order, and time_sums the same weighted with t; whole vectors
 * are written.
 */
void add_columns(const float* from, int64_t stride, int64_t rows, int64_t columns, const float* t, bool accumulate,
                 float* sums, float* time_sums);
/** The same for the columns of a strip. */
void add_columns(const Strip& strip, int64_t columns, const float* t, bool accumulate, float* sums, float* time_sums);

}  // namespace LFM_TARGET
}  // namespace lfm
