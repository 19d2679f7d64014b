/** Micro-kernels of strips. See strip.h. */

#include "strip.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

template <int ROWS, int VECTORS>
LFM_INLINE void clear(V (&sum)[ROWS][VECTORS]) {
#pragma GCC unroll 16
  for (int m = 0; m < ROWS; m++) {
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) sum[m][v] = zero();
  }
}

/** sum += the outer product of a[m·A_STRIDE] and the vectors at b. */
template <int A_STRIDE, int ROWS, int VECTORS>
LFM_INLINE void add_outer(V (&sum)[ROWS][VECTORS], const float* a, const float* b) {
  V right[VECTORS];
#pragma GCC unroll 4
  for (int v = 0; v < VECTORS; v++) right[v] = load(b + v * W);
#pragma GCC unroll 16
  for (int m = 0; m < ROWS; m++) {
    const V left = set1(a[m * A_STRIDE]);
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) sum[m][v] = fma(left, right[v], sum[m][v]);
  }
}

template <int ROWS, int VECTORS>
void multiply_strip(int64_t depth, const float* a, int64_t stride, const float* b, float* c) {
  V sum[ROWS][VECTORS];
  clear(sum);
  for (; depth >= PANEL; depth -= PANEL, a += stride) {
#pragma GCC unroll 4
    for (int k = 0; k < PANEL; k++, b += VECTORS * W) add_outer<PANEL>(sum, a + k, b);
  }
  for (int k = 0; k < depth; k++, b += VECTORS * W) add_outer<PANEL>(sum, a + k, b);
#pragma GCC unroll 16
  for (int m = 0; m < ROWS; m++) {
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) store(c + (m * VECTORS + v) * W, sum[m][v]);
  }
}

/** c[m·PANEL + n] = or += Σ_r a[r·PANEL + m] b[r·PANEL + n] */
typedef void (*ReductionKernel)(int64_t rows, const float* a, const float* b, bool accumulate, float* c);

template <int ROWS, int VECTORS>
void reduce_strip(int64_t rows, const float* a, const float* b, bool accumulate, float* c) {
  V sum[ROWS][VECTORS];
  clear(sum);
  // what is added to at the end comes from a far cache: ask for it now
#pragma GCC unroll 16
  for (int m = 0; m < ROWS; m++) {
    for (int line = 0; line < VECTORS * W; line += 16) __builtin_prefetch(c + m * PANEL + line, 1, 3);
  }
#pragma GCC unroll 4
  for (int64_t r = 0; r < rows; r++) {
    add_outer<1>(sum, a, b);
    a += PANEL;
    b += PANEL;
  }
#pragma GCC unroll 16
  for (int m = 0; m < ROWS; m++) {
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) {
      float* const to = c + m * PANEL + v * W;
      store(to, accumulate ? load(to) + sum[m][v] : sum[m][v]);
    }
  }
}

const ReductionKernel micro_reduction[BLOCK_VECTORS][BLOCK_ROWS] = LFM_MICRO_KERNELS(reduce_strip);

template <int R, int C>
LFM_INLINE void dots(const float* a, int64_t stride, int64_t depth, const float* b, float* out) {
  V sum[R][C];
  for (int r = 0; r < R; r++) {
    for (int c = 0; c < C; c++) sum[r][c] = zero();
  }
  const auto step = [&](int64_t k, auto read) __attribute__((always_inline)) {
    const float* const rows = a + k / PANEL * stride + k % PANEL;
    V right[C];
    for (int c = 0; c < C; c++) right[c] = read(b + c * depth + k);
    for (int r = 0; r < R; r++) {
      const V left = read(rows + r * PANEL);
      for (int c = 0; c < C; c++) sum[r][c] = fma(left, right[c], sum[r][c]);
    }
  };
  int64_t k = 0;
  for (; k + W <= depth; k += W) step(k, [](const float* p) __attribute__((always_inline)) { return load(p); });
  if (k < depth) {
    const int rest = static_cast<int>(depth - k);
    step(k, [rest](const float* p) __attribute__((always_inline)) { return load_first(p, rest); });
  }
  for (int r = 0; r < R; r++) {
    for (int c = 0; c < C; c++) out[r * W + c] = horizontal_sum(sum[r][c]);
  }
}

template <int R>
LFM_INLINE void dots_of_rows(const float* a, int64_t stride, const Packed& b, float* out) {
  int64_t column = 0;
  for (; column + 2 <= b.columns; column += 2) dots<R, 2>(a, stride, b.depth, b.data + column * b.depth, out + column);
  if (column < b.columns) dots<R, 1>(a, stride, b.depth, b.data + column * b.depth, out + column);
}

}  // namespace

const StripKernel micro_strip[BLOCK_VECTORS][BLOCK_ROWS] = LFM_MICRO_KERNELS(multiply_strip);

void strip_dots(const float* a, int64_t stride, int rows, const Packed& b, float* out) {
  switch (rows) {
    case 1: return dots_of_rows<1>(a, stride, b, out);
    case 2: return dots_of_rows<2>(a, stride, b, out);
    case 3: return dots_of_rows<3>(a, stride, b, out);
    default: return dots_of_rows<4>(a, stride, b, out);
  }
}

void strip_reduction(const Strip& a, int64_t M, const Strip& b, int64_t N, bool accumulate, float* c) {
  for (int64_t column = 0; column < N; column += PANEL) {
    const int vectors = static_cast<int>(divide_up(least<int64_t>(PANEL, N - column), W));
    for (int64_t first = 0; first < M; first += PANEL) {
      const int64_t width = least<int64_t>(PANEL, M - first);
      const int64_t blocks = divide_up(width, BLOCK_ROWS);
      for (int64_t i = 0; i < blocks; i++) {
        const int64_t m = i * width / blocks;
        const int64_t count = (i + 1) * width / blocks - m;
        micro_reduction[vectors - 1][count - 1](a.rows, a.panel(first) + m, b.panel(column), accumulate,
                                                c + column * M + (first + m) * PANEL);
      }
    }
  }
}

}  // namespace LFM_TARGET
}  // namespace lfm
