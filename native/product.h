/**
 * Matrix products, the engine's heart. Words: a *tile* is the block of the result that stays in registers
 * (BLOCK_ROWS × BLOCK_VECTORS·W); a *panel* is BLOCK_VECTORS·W columns of the right operand, packed so that the inner
 * loop reads it front to back; *depth* is the extent that is summed over. A *micro-kernel* multiplies one tile.
 *
 * Two shapes of product cover all uses:
 * - row products: result row = row of A × B. A is read where it lies, B is packed once; each finished tile goes through
 *   an epilogue while it is in the first-level cache. `product_rows` is called by one thread for a range of rows and
 *   keeps no state, so several layers can be chained over one range.
 * - reductions over rows: C = Aᵀ B, both operands packed in blocks of rows (weight gradients).
 *
 * Each element of a result is summed over the depth in order, whatever the tile it falls into: a row's result does not
 * depend on the rows beside it.
 */
#pragma once

#include "kernel.h"
#include "simd/simd.h"

namespace lfm {
namespace LFM_TARGET {

constexpr int PANEL = BLOCK_VECTORS * W;
/** Rows that one task takes through all panels: its part of A stays in the second-level cache. */
constexpr int64_t ROWS_OF_TASK = 8 * BLOCK_ROWS;

/** Floats of a right operand that is taken to stay in the second-level cache: 512 KiB. */
constexpr int64_t STREAMED_FLOATS = 131072;

/** c[rows × vectors·W], leading extent ldc; `accumulate` adds to what c holds. */
typedef void (*MicroKernel)(int64_t depth, const float* a, int64_t lda, const float* b, float* c, int64_t ldc,
                            bool accumulate);
/** [vectors − 1][rows − 1]; a has its depth along its rows (row m at a + m·lda). */
extern const MicroKernel micro_rows[BLOCK_VECTORS][BLOCK_ROWS];
/** [vectors − 1][rows − 1]; a is packed: element (m, k) at a[k·rows + m]; lda is ignored. */
extern const MicroKernel micro_packed[BLOCK_VECTORS][BLOCK_ROWS];

/** A table of micro-kernels F<rows, vectors>, indexed [vectors − 1][rows − 1]. */
#if defined(__AVX512F__)
#define LFM_ROWS(F, N) \
  { F<1, N>, F<2, N>, F<3, N>, F<4, N>, F<5, N>, F<6, N>, F<7, N>, F<8, N>, F<9, N>, F<10, N>, F<11, N>, F<12, N>, \
    F<13, N>, F<14, N> }
#elif defined(__AVX2__)
#define LFM_ROWS(F, N) \
  { F<1, N>, F<2, N>, F<3, N>, F<4, N>, F<5, N>, F<6, N> }
#elif defined(__SSE2__)
#define LFM_ROWS(F, N) \
  { F<1, N>, F<2, N>, F<3, N>, F<4, N> }
#else
#define LFM_ROWS(F, N) \
  { F<1, N>, F<2, N>, F<3, N>, F<4, N>, F<5, N>, F<6, N>, F<7, N>, F<8, N> }
#endif
#if defined(__ARM_NEON)
#define LFM_MICRO_KERNELS(F) \
  { LFM_ROWS(F, 1), LFM_ROWS(F, 2), LFM_ROWS(F, 3) }
#else
#define LFM_MICRO_KERNELS(F) \
  { LFM_ROWS(F, 1), LFM_ROWS(F, 2) }
#endif

/** The right operand [depth, columns] of a row product, packed. */
struct Packed {
  const float* data;
  int64_t depth, columns;

  /** Few columns: their own rows, contiguous in depth, for dot products; a panel would be mostly padding. */
  bool dots() const { return columns <= most(W / 4, 1); }
  /** what can be packed independently: the panels */
  int64_t parts() const { return dots() ? 1 : divide_up(columns, PANEL); }
  static int64_t floats(int64_t depth, int64_t columns) {
    const Packed shape{nullptr, depth, columns};
    return round_up(shape.dots() ? depth * columns : depth * round_up(columns, W) + depth * PANEL, 16);
  }
};

/** Packs element (k, n) from source[k·row_stride + n·column_stride]. */
Packed pack(Workers& workers, const float* source, int64_t row_stride, int64_t column_stride, int64_t depth,
            int64_t columns, float* destination);

/** One of the parts that pack() does. */
void pack_part(const float* source, int64_t row_stride, int64_t column_stride, int64_t depth, int64_t columns,
               int64_t part, float* destination);

/** Dot products of up to four rows of a with the packed columns; row r's results at out + r·W. */
void dot_rows(const float* a, int64_t lda, int rows, const Packed& b, float* out);

/**
 * Rows [0, rows) of a·b, tile by tile: epilogue(tile, stride, row, rows of the tile, column, columns of the tile); the
 * tile has whole vectors, of which the columns beyond the result are garbage. Before a tile is multiplied,
 * epilogue.announce(row, rows, column) may ask the memory for what the epilogue will touch.
 */
template <class Epilogue>
LFM_INLINE void product_rows(const float* a, int64_t lda, int64_t rows, const Packed& b, Epilogue epilogue) {
  alignas(64) float tile[BLOCK_ROWS * PANEL];
  if (b.dots()) {
    for (int64_t row = 0; row < rows; row += 4) {
      const int count = static_cast<int>(least<int64_t>(4, rows - row));
      dot_rows(a + row * lda, lda, count, b, tile);
      epilogue(tile, W, row, count, int64_t{0}, static_cast<int>(b.columns));
    }
    return;
  }
  // tiles as even as can be: one of few rows would wait for the latency of its multiply-adds
  const int64_t tiles = divide_up(rows, BLOCK_ROWS);
  const auto multiply = [&](int64_t i, int64_t column) __attribute__((always_inline)) {
    const int64_t row = i * rows / tiles;
    const int count = static_cast<int>((i + 1) * rows / tiles - row);
    const int width = static_cast<int>(least<int64_t>(PANEL, b.columns - column));
    const int vectors = (width + W - 1) / W;
    epilogue.announce(row, count, column);
    const float* const panel = b.data + column * b.depth;
    micro_rows[vectors - 1][count - 1](b.depth, a + row * lda, lda, panel, tile, vectors * W, false);
    epilogue(tile, vectors * W, row, count, column, width);
  };
  // A right operand that stays in the second-level cache is streamed past each tile of rows; of a larger one each panel
  // is taken past all rows of the task.
  if (b.depth * b.columns <= STREAMED_FLOATS) {
    for (int64_t i = 0; i < tiles; i++) {
      for (int64_t column = 0; column < b.columns; column += PANEL) multiply(i, column);
    }
  } else {
    for (int64_t column = 0; column < b.columns; column += PANEL) {
      for (int64_t i = 0; i < tiles; i++) multiply(i, column);
    }
  }
}

/** task(first row, rows) over ranges of [0, rows) that share out evenly. */
template <class Task>
inline void parallel_rows(Workers& workers, int64_t rows, Task task) {
  int64_t blocks = round_up(divide_up(rows, ROWS_OF_TASK), workers.count);
  blocks = least(blocks, divide_up(rows, 2));
  parallel(workers, blocks, [&](int64_t block, int) {
    const int64_t first = block * rows / blocks;
    task(first, (block + 1) * rows / blocks - first);
  });
}

/** Rows of both operands that a reduction packs at a time. */
constexpr int64_t REDUCTION_DEPTH = 256;

/** Floats of packing space that reduce_rows needs for M × N results. */
int64_t reduction_space(int64_t M, int64_t N);

/** c[M, ldc] = Σ_{r < rows} a[r·lda + m] b[r·ldb + n] by one thread; ldc ≥ N rounded up to vectors. */
void reduce_rows(const float* a, int64_t lda, int64_t M, const float* b, int64_t ldb, int64_t N, int64_t rows, float* c,
                 int64_t ldc, float* space);

}  // namespace LFM_TARGET
}  // namespace lfm
