/** Micro-kernels, packing and the reduction over rows. See product.h. */

#include "product.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

template <int ROWS, int VECTORS>
LFM_INLINE void start(V (&sum)[ROWS][VECTORS], const float* c, int64_t ldc, bool accumulate) {
#pragma GCC unroll 16
  for (int m = 0; m < ROWS; m++) {
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) sum[m][v] = zero();
  }
  if (!accumulate) return;
#pragma GCC unroll 16
  for (int m = 0; m < ROWS; m++) {
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) sum[m][v] = load(c + m * ldc + v * W);
  }
}

template <int ROWS, int VECTORS>
LFM_INLINE void finish(const V (&sum)[ROWS][VECTORS], float* c, int64_t ldc) {
#pragma GCC unroll 16
  for (int m = 0; m < ROWS; m++) {
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) store(c + m * ldc + v * W, sum[m][v]);
  }
}

template <int ROWS, int VECTORS>
void multiply_rows(int64_t depth, const float* a, int64_t lda, const float* b, float* c, int64_t ldc, bool accumulate) {
  V sum[ROWS][VECTORS];
  start(sum, c, ldc, accumulate);
  // Three rows share a pointer, so that all addresses of a step fit into the integer registers.
  const float* rows[(ROWS + 2) / 3];
#pragma GCC unroll 8
  for (int m = 0; m < ROWS; m += 3) rows[m / 3] = a + m * lda;
#pragma GCC unroll 4
  for (int64_t k = 0; k < depth; k++) {
    V right[VECTORS];
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) right[v] = load(b + v * W);
    b += VECTORS * W;
#pragma GCC unroll 16
    for (int m = 0; m < ROWS; m++) {
      const V left = set1(rows[m / 3][(m % 3) * lda + k]);
#pragma GCC unroll 4
      for (int v = 0; v < VECTORS; v++) sum[m][v] = fma(left, right[v], sum[m][v]);
    }
  }
  finish(sum, c, ldc);
}

template <int ROWS, int VECTORS>
void multiply_packed(int64_t depth, const float* a, int64_t, const float* b, float* c, int64_t ldc, bool accumulate) {
  V sum[ROWS][VECTORS];
  start(sum, c, ldc, accumulate);
#pragma GCC unroll 4
  for (int64_t k = 0; k < depth; k++) {
    V right[VECTORS];
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) right[v] = load(b + v * W);
    b += VECTORS * W;
#pragma GCC unroll 16
    for (int m = 0; m < ROWS; m++) {
      const V left = set1(a[m]);
#pragma GCC unroll 4
      for (int v = 0; v < VECTORS; v++) sum[m][v] = fma(left, right[v], sum[m][v]);
    }
    a += ROWS;
  }
  finish(sum, c, ldc);
}

/** Dot products of R rows of a with C columns of b. */
template <int R, int C>
LFM_INLINE void dots(const float* a, int64_t lda, int64_t depth, const float* b, float* out) {
  V sum[R][C];
  for (int r = 0; r < R; r++) {
    for (int c = 0; c < C; c++) sum[r][c] = zero();
  }
  const auto step = [&](int64_t k, auto read) __attribute__((always_inline)) {
    V right[C];
    for (int c = 0; c < C; c++) right[c] = read(b + c * depth + k);
    for (int r = 0; r < R; r++) {
      const V left = read(a + r * lda + k);
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
LFM_INLINE void dots_of_rows(const float* a, int64_t lda, const Packed& b, float* out) {
  int64_t column = 0;
  for (; column + 2 <= b.columns; column += 2) dots<R, 2>(a, lda, b.depth, b.data + column * b.depth, out + column);
  if (column < b.columns) dots<R, 1>(a, lda, b.depth, b.data + column * b.depth, out + column);
}

/** Columns [column, column + width) of `rows` rows as [rows][width]; may write W floats beyond the end. */
void pack_columns(const float* source, int64_t stride, int64_t extent, int64_t column, int64_t width, int64_t rows,
                  float* destination) {
  source += column;
  if (column + round_up(width, W) <= extent) {
    // whole vectors; what is beyond a row's width is overwritten by the next row
    for (int64_t r = 0; r < rows; r++) {
      for (int64_t n = 0; n < width; n += W) store(destination + r * width + n, load(source + r * stride + n));
    }
    return;
  }
  for (int64_t r = 0; r < rows; r++) {
    for (int64_t n = 0; n < width; n++) destination[r * width + n] = source[r * stride + n];
  }
}

/** Columns [column, column + width) of `rows` rows as [rows][vectors·W], filled up with zeros. */
void pack_panel(const float* source, int64_t stride, int64_t column, int width, int64_t rows, float* destination) {
  source += column;
  const int vectors = (width + W - 1) / W;
  for (int64_t r = 0; r < rows; r++) {
    for (int v = 0; v < vectors; v++) {
      const int lanes = width - v * W;
      const float* from = source + r * stride + v * W;
      store(destination + (r * vectors + v) * W, lanes >= W ? load(from) : load_first(from, lanes));
    }
  }
}

/** Four rows of `depth` elements as four columns: to[k·stride + i] = from[i·pitch + k]. */
void turn_columns(const float* from, int64_t pitch, int64_t depth, float* to, int64_t stride) {
  typedef float Four __attribute__((vector_size(16)));
  int64_t k = 0;
  for (; k + 4 <= depth; k += 4) {
    Four row[4];
    for (int i = 0; i < 4; i++) memcpy(&row[i], from + i * pitch + k, sizeof(Four));
    const Four low01 = __builtin_shufflevector(row[0], row[1], 0, 4, 1, 5);
    const Four low23 = __builtin_shufflevector(row[2], row[3], 0, 4, 1, 5);
    const Four high01 = __builtin_shufflevector(row[0], row[1], 2, 6, 3, 7);
    const Four high23 = __builtin_shufflevector(row[2], row[3], 2, 6, 3, 7);
    const Four turned[4] = {
        __builtin_shufflevector(low01, low23, 0, 1, 4, 5), __builtin_shufflevector(low01, low23, 2, 3, 6, 7),
        __builtin_shufflevector(high01, high23, 0, 1, 4, 5), __builtin_shufflevector(high01, high23, 2, 3, 6, 7)};
    for (int i = 0; i < 4; i++) memcpy(to + (k + i) * stride, &turned[i], sizeof(Four));
  }
  for (; k < depth; k++) {
    for (int i = 0; i < 4; i++) to[k * stride + i] = from[i * pitch + k];
  }
}

}  // namespace

const MicroKernel micro_rows[BLOCK_VECTORS][BLOCK_ROWS] = LFM_MICRO_KERNELS(multiply_rows);
const MicroKernel micro_packed[BLOCK_VECTORS][BLOCK_ROWS] = LFM_MICRO_KERNELS(multiply_packed);

void pack_part(const float* source, int64_t row_stride, int64_t column_stride, int64_t depth, int64_t columns,
               int64_t part, float* destination) {
  if (Packed{destination, depth, columns}.dots()) {
    for (int64_t n = 0; n < columns; n++) {
      for (int64_t k = 0; k < depth; k++) {
        destination[n * depth + k] = source[k * row_stride + n * column_stride];
      }
    }
    return;
  }
  const int64_t column = part * PANEL;
  const int width = static_cast<int>(least<int64_t>(PANEL, columns - column));
  const int64_t padded = round_up(width, W);
  float* to = destination + column * depth;
  if (column_stride == 1) return pack_panel(source, row_stride, column, width, depth, to);
  int64_t turned = 0;
  if (row_stride == 1) {
    for (; turned + 4 <= width; turned += 4) {
      turn_columns(source + (column + turned) * column_stride, column_stride, depth, to + turned, padded);
    }
  }
  for (int64_t n = turned; n < padded; n++) {
    const float* from = source + (column + n) * column_stride;
    for (int64_t k = 0; k < depth; k++) to[k * padded + n] = n < width ? from[k * row_stride] : 0.0f;
  }
}

Packed pack(Workers& workers, const float* source, int64_t row_stride, int64_t column_stride, int64_t depth,
            int64_t columns, float* destination) {
  const Packed packed{destination, depth, columns};
  parallel(workers, packed.parts(), [&](int64_t part, int) {
    pack_part(source, row_stride, column_stride, depth, columns, part, destination);
  });
  return packed;
}

void dot_rows(const float* a, int64_t lda, int rows, const Packed& b, float* out) {
  switch (rows) {
    case 1: return dots_of_rows<1>(a, lda, b, out);
    case 2: return dots_of_rows<2>(a, lda, b, out);
    case 3: return dots_of_rows<3>(a, lda, b, out);
    default: return dots_of_rows<4>(a, lda, b, out);
  }
}

int64_t reduction_space(int64_t M, int64_t N) {
  return round_up(REDUCTION_DEPTH * M + W, 16) + REDUCTION_DEPTH * round_up(N, W);
}

void reduce_rows(const float* a, int64_t lda, int64_t M, const float* b, int64_t ldb, int64_t N, int64_t rows, float* c,
                 int64_t ldc, float* space) {
  const int64_t tiles = divide_up(M, BLOCK_ROWS);
  float* packed_a = space;
  float* packed_b = space + round_up(REDUCTION_DEPTH * M + W, 16);
  for (int64_t first = 0; first < rows; first += REDUCTION_DEPTH) {
    const int64_t depth = least(REDUCTION_DEPTH, rows - first);
    for (int64_t i = 0; i < tiles; i++) {
      const int64_t m = i * M / tiles;
      pack_columns(a + first * lda, lda, M, m, (i + 1) * M / tiles - m, depth, packed_a + m * depth);
    }
    for (int64_t column = 0; column < N; column += PANEL) {
      const int width = static_cast<int>(least<int64_t>(PANEL, N - column));
      const int vectors = (width + W - 1) / W;
      float* panel = packed_b + column * depth;
      pack_panel(b + first * ldb, ldb, column, width, depth, panel);
      for (int64_t i = 0; i < tiles; i++) {
        const int64_t m = i * M / tiles;
        const int64_t count = (i + 1) * M / tiles - m;
        const MicroKernel multiply = micro_packed[vectors - 1][count - 1];
        multiply(depth, packed_a + m * depth, 0, panel, c + m * ldc + column, ldc, first > 0);
      }
    }
  }
}

}  // namespace LFM_TARGET
}  // namespace lfm
