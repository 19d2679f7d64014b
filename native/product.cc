/** Packing of right operands, and dot products. See product.h. */

#include "product.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

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

}  // namespace

void turn_columns(const float* from, int64_t pitch, int64_t count, float* to, int64_t stride) {
  typedef float Four __attribute__((vector_size(16)));
  int64_t k = 0;
  for (; k + 4 <= count; k += 4) {
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
  for (; k < count; k++) {
    for (int i = 0; i < 4; i++) to[k * stride + i] = from[i * pitch + k];
  }
}

void pack_part(const View& view, int64_t depth, int64_t columns, int64_t part, float* destination) {
  const float* const source = view.data;
  const int64_t row_stride = view.row_stride, column_stride = view.column_stride;
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

Packed pack(Workers& workers, const View& source, int64_t depth, int64_t columns, float* destination) {
  const Packed packed{destination, depth, columns};
  parallel(workers, packed.parts(), [&](int64_t part, int) {
    pack_part(source, depth, columns, part, destination);
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

}  // namespace LFM_TARGET
}  // namespace lfm
