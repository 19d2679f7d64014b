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
void multiply_strip(int64_t depth, const float* a, int64_t stride, const float* b, float* c, Fetch& fetch) {
  V sum[ROWS][VECTORS];
  clear(sum);
  for (; depth >= PANEL; depth -= PANEL, a += stride) {
    fetch.step();
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

template <int ROWS, int VECTORS>
void reduce_strip(int64_t rows, const float* a, int64_t a_stride, const float* b, int64_t b_stride, bool accumulate,
                  float* c, Fetch& fetch) {
  V sum[ROWS][VECTORS];
  clear(sum);
  // what is added to at the end is in a far cache: prefetch it
#pragma GCC unroll 16
  for (int m = 0; m < ROWS; m++) {
    for (int line = 0; line < VECTORS * W; line += 16) __builtin_prefetch(c + m * PANEL + line, 1, 3);
  }
  const auto step = [&]() __attribute__((always_inline)) {
    add_outer<1>(sum, a, b);
    a += a_stride;
    b += b_stride;
  };
  for (; rows >= FETCH_DEPTH; rows -= FETCH_DEPTH) {
    fetch.step();
#pragma GCC unroll 4
    for (int r = 0; r < FETCH_DEPTH; r++) step();
  }
  for (int64_t r = 0; r < rows; r++) step();
#pragma GCC unroll 16
  for (int m = 0; m < ROWS; m++) {
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) {
      float* const to = c + m * PANEL + v * W;
      store(to, accumulate ? load(to) + sum[m][v] : sum[m][v]);
    }
  }
}

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
const ReductionKernel micro_reduction[BLOCK_VECTORS][BLOCK_ROWS] = LFM_MICRO_KERNELS(reduce_strip);

void strip_dots(const float* a, int64_t stride, int rows, const Packed& b, float* out) {
  switch (rows) {
    case 1: return dots_of_rows<1>(a, stride, b, out);
    case 2: return dots_of_rows<2>(a, stride, b, out);
    case 3: return dots_of_rows<3>(a, stride, b, out);
    default: return dots_of_rows<4>(a, stride, b, out);
  }
}

void strip_reduction(const Strip& a, int64_t M, const Strip& b, int64_t N, bool accumulate, float* c) {
  Fetch nothing;
  for (int64_t column = 0; column < N; column += PANEL) {
    const int vectors = static_cast<int>(divide_up(least<int64_t>(PANEL, N - column), W));
    for (int64_t first = 0; first < M; first += PANEL) {
      const int64_t width = least<int64_t>(PANEL, M - first);
      const int64_t blocks = divide_up(width, BLOCK_ROWS);
      for (int64_t i = 0; i < blocks; i++) {
        const int64_t m = i * width / blocks;
        const int64_t count = (i + 1) * width / blocks - m;
        micro_reduction[vectors - 1][count - 1](a.rows, a.panel(first) + m, PANEL, b.panel(column), PANEL,
                                                accumulate, c + column * M + (first + m) * PANEL, nothing);
      }
    }
  }
}

void pack_strip(const View& source, int64_t columns, const Strip& out) {
  if (source.column_stride == 1) {
    // row by row: memory is read front to back
    for (int64_t r = 0; r < out.rows; r++) {
      const float* const from = source.data + r * source.row_stride;
      float* to = out.data + r * PANEL;
      int64_t column = 0;
      for (; column + PANEL <= columns; column += PANEL, to += out.rows * PANEL) {
#pragma GCC unroll 4
        for (int v = 0; v < PANEL; v += W) store(to + v, load(from + column + v));
      }
      for (int v = 0; column + v < columns; v += W) {
        const int64_t lanes = columns - column - v;
        store(to + v, lanes >= W ? load(from + column + v) : load_first(from + column + v, static_cast<int>(lanes)));
      }
    }
    return;
  }
  for (int64_t column = 0; column < columns; column += PANEL) {
    float* const to = out.panel(column);
    const int64_t width = least<int64_t>(PANEL, columns - column);
    const float* const from = source.data + column * source.column_stride;
    int64_t k = 0;
    if (source.row_stride == 1) {
      for (; k + 4 <= width; k += 4) {
        turn_columns(from + k * source.column_stride, source.column_stride, out.rows, to + k, PANEL);
      }
    }
    for (; k < width; k++) {
      for (int64_t r = 0; r < out.rows; r++) {
        to[r * PANEL + k] = from[k * source.column_stride + r * source.row_stride];
      }
    }
  }
}

/** VECTORS columns of vectors side by side, since each is a chain of additions; the last one has `lanes` elements. */
template <int VECTORS>
LFM_INLINE void add_vectors(const float* from, int64_t stride, int64_t rows, int lanes, const float* t, bool accumulate,
                            float* sums, float* time_sums) {
  V sum[VECTORS], time_sum[VECTORS];
  for (int v = 0; v < VECTORS; v++) sum[v] = time_sum[v] = zero();
  for (int64_t r = 0; r < rows; r++, from += stride) {
    const V time = set1(t ? t[r] : 0.0f);
    for (int v = 0; v < VECTORS; v++) {
      const V value = v + 1 < VECTORS || lanes == W ? load(from + v * W) : load_first(from + v * W, lanes);
      sum[v] = sum[v] + value;
      if (t) time_sum[v] = fma(time, value, time_sum[v]);
    }
  }
  for (int v = 0; v < VECTORS; v++) {
    store(sums + v * W, accumulate ? load(sums + v * W) + sum[v] : sum[v]);
    store(time_sums + v * W, accumulate ? load(time_sums + v * W) + time_sum[v] : time_sum[v]);
  }
}

void add_columns(const float* from, int64_t stride, int64_t rows, int64_t columns, const float* t, bool accumulate,
                 float* sums, float* time_sums) {
  int64_t n = 0;
  for (; n + 4 * W <= columns; n += 4 * W) {
    add_vectors<4>(from + n, stride, rows, W, t, accumulate, sums + n, time_sums + n);
  }
  for (; n < columns; n += W) {
    const int lanes = static_cast<int>(least<int64_t>(W, columns - n));
    add_vectors<1>(from + n, stride, rows, lanes, t, accumulate, sums + n, time_sums + n);
  }
}

void add_columns(const Strip& strip, int64_t columns, const float* t, bool accumulate, float* sums, float* time_sums) {
  for (int64_t n = 0; n < columns; n += PANEL) {
    const int64_t width = round_up(least<int64_t>(PANEL, columns - n), W);
    add_columns(strip.panel(n), PANEL, strip.rows, width, t, accumulate, sums + n, time_sums + n);
  }
}

}  // namespace LFM_TARGET
}  // namespace lfm
