/**
 * The operands of matrix products. Terms: a *tile* is the block of the result that stays in
 * registers (BLOCK_ROWS × BLOCK_VECTORS·W); a *panel* is BLOCK_VECTORS·W columns of the right operand, packed so that
 * the inner loop reads it front to back; *depth* is the extent that is summed over. A *view* says where an operand's
 * elements lie; packing turns any view into the layout that the one inner kernel reads. The products themselves are in strip.h
 * (result row = row of A × B, and sums over rows, C = Aᵀ B), reduction.h cuts the latter up for all threads.
 *
 * Each element of a row product is summed over the depth in order, whichever tile it falls into: a row's result does not
 * depend on the rows beside it.
 */
#pragma once

#include "kernel.h"
#include "simd/simd.h"

namespace lfm {
namespace LFM_TARGET {

constexpr int PANEL = BLOCK_VECTORS * W;
/** Up to so many floats (half of the second-level cache) a right operand is expected to stay in it. No result depends on it. */
inline int64_t streamed_floats() { return caches().l2 / 8; }

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

  /** For few columns: each as a row of its own, contiguous in depth, for dot products; a panel would be mostly padding. */
  bool dots() const { return columns <= most(W / 4, 1); }
  /** what can be packed independently: the panels */
  int64_t parts() const { return dots() ? 1 : divide_up(columns, PANEL); }
  static int64_t floats(int64_t depth, int64_t columns) {
    const Packed shape{nullptr, depth, columns};
    return round_up(shape.dots() ? depth * columns : depth * round_up(columns, W) + depth * PANEL, 16);
  }
};

/** Element (i, j) lies at data[i·row_stride + j·column_stride]; one of the strides is 1. */
struct View {
  const float* data;
  int64_t row_stride, column_stride;

  static View row_major(const float* data, int64_t width) { return {data, width, 1}; }
  /** of a row-major matrix with `width` columns, its transpose */
  static View transposed(const float* data, int64_t width) { return {data, 1, width}; }
  View from(int64_t row, int64_t column) const {
    return {data + row * row_stride + column * column_stride, row_stride, column_stride};
  }
};

/** Packs a right operand, [depth, columns] as the view has it. */
Packed pack(Workers& workers, const View& source, int64_t depth, int64_t columns, float* destination);

/** Rows of a product, at most, for which packing the right operand costs about as much: it is kept from run to run then. */
constexpr int64_t KEPT_ROWS = 128;

/** A packed operand where a call keeps it, made by `make` where it is not there yet; else made in `scratch`. */
template <class Make>
LFM_INLINE Packed packed_for(const Call& call, float* scratch, int64_t depth, int64_t columns, Make make) {
  float* const to = call.prepared ? call.prepared : scratch;
  if (!call.prepared || call.prepare) make(to);
  return {to, depth, columns};
}

/** Floats of a right operand that a thread reads in a few microseconds: what is shared out has more for each. */
constexpr int64_t SHARED_FLOATS = 32768;

/**
 * Ranges of columns that the threads share where `tasks` tasks of rows are too few for them; each is of whole panels. Every element is
 * summed in the same order in any range.
 */
LFM_INLINE int64_t column_parts(const Workers& workers, int64_t tasks, const Packed& b) {
  if (b.dots() || tasks >= workers.count) return 1;
  const int64_t wanted = least<int64_t>(workers.count / tasks, b.depth * b.columns / SHARED_FLOATS);
  return most<int64_t>(1, least(wanted, b.parts()));
}
/** The first column of a range; of the one after the last, all columns. */
LFM_INLINE int64_t first_column(const Packed& b, int64_t part, int64_t parts) {
  return least(part * b.parts() / parts * PANEL, b.columns);
}

/** One of the parts that pack() does. */
void pack_part(const View& source, int64_t depth, int64_t columns, int64_t part, float* destination);

/** Four rows of `count` elements as four columns: to[k·stride + i] = from[i·pitch + k]. */
void turn_columns(const float* from, int64_t pitch, int64_t count, float* to, int64_t stride);

/** Dot products of up to four rows of a with the packed columns; row r's results at out + r·W. */
void dot_rows(const float* a, int64_t lda, int rows, const Packed& b, float* out);

}  // namespace LFM_TARGET
}  // namespace lfm
