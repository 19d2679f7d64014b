/**
 * What attention's two directions share (src/kernels/attention.ts): where a head's queries, keys and values lie, and the
 * scores of a block of queries as a strip, the keys being its columns.
 */
#pragma once

#include "kernels/epilogue.h"
#include "product.h"
#include "simd/math.h"

namespace lfm {
namespace LFM_TARGET {

/** Queries of a block: two tiles. */
constexpr int64_t QUERIES = 2 * BLOCK_ROWS;

/** The heads of qkv [B, H, W, 3·C]: N positions, d channels of a head. */
struct Heads {
  enum Part { Q, K, VALUES };
  const float* data;
  int64_t B, N, C, heads, d;

  Heads(const Operand& qkv, int64_t count)
      : data(qkv.floats()), B(qkv.shape[0]), N(qkv.shape[1] * qkv.shape[2]), C(qkv.shape[3] / 3), heads(count),
        d(C / count) {}

  int64_t offset(int64_t b, int64_t head, Part part) const { return b * N * 3 * C + (3 * head + part) * d; }
  /** [N, d] */
  View view(int64_t b, int64_t head, Part part) const { return View::row_major(data + offset(b, head, part), 3 * C); }
  float scale() const {
    float lanes[W];
    store(lanes, set1(1.0f) / sqrt(set1(static_cast<float>(d))));
    return lanes[0];
  }

  /** A part as a right operand [d, N], and as [N, d]. */
  Packed pack_turned(int64_t b, int64_t head, Part part, float* to) const {
    return pack_all(View{data + offset(b, head, part), 1, 3 * C}, d, N, to);
  }
  Packed pack_rows(int64_t b, int64_t head, Part part, float* to) const { return pack_all(view(b, head, part), N, d, to); }

  static Packed pack_all(const View& view, int64_t depth, int64_t columns, float* to) {
    const Packed packed{to, depth, columns};
    for (int64_t part = 0; part < packed.parts(); part++) pack_part(view, depth, columns, part, to);
    return packed;
  }

  /** out [rows, N] = scale · queries · keys. */
  void scores(const Strip& queries, const Packed& keys, const Strip& out) const { product(queries, keys, out, scale()); }

  /** out = factor · a · b, as a strip. */
  static void product(const Strip& a, const Packed& b, const Strip& out, float factor) {
    const V scaled = set1(factor);
    strip_product(a, b, [&](const float* tile, int stride, int64_t row, int height, int64_t column, int width) {
      for (int r = 0; r < height; r++) {
        // a tile is one panel of the result, or of a narrow one its few columns
        float* const to = out.at(row + r, column);
        for (int v = 0; v < width; v += W) store(to + v, load(tile + r * stride + v) * scaled);
      }
    });
  }
};

/** function(pointer to W elements, lanes) along row r of a strip of N columns. */
template <class Function>
LFM_INLINE void along_row(const Strip& strip, int64_t r, int64_t N, Function function) {
  for (int64_t column = 0; column < N; column += PANEL) {
    float* const at = strip.panel(column) + r * PANEL;
    for (int v = 0; v < PANEL && column + v < N; v += W) {
      function(at + v, static_cast<int>(least<int64_t>(W, N - column - v)));
    }
  }
}

/** exp(score − greatest) in place; returns log Σ exp(score), and 1/Σ exp(score − greatest). */
inline float softmax_row(const Strip& scores, int64_t r, int64_t N, float& inverse) {
  V greatest = set1(-3.4e38f);
  along_row(scores, r, N, [&](float* at, int lanes) {
    if (lanes < W) {
      // beyond the last key: nothing
      float values[W];
      store(values, set1(-3.4e38f));
      memcpy(values, at, static_cast<size_t>(lanes) * sizeof(float));
      store(at, load(values));
    }
    greatest = max(greatest, load(at));
  });
  float lanes[W];
  store(lanes, greatest);
  float top = lanes[0];
  for (int i = 1; i < W; i++) top = lanes[i] > top ? lanes[i] : top;
  V sum = zero();
  along_row(scores, r, N, [&](float* at, int) {
    const V value = exp_of_negative(load(at) - set1(top));
    store(at, value);
    sum = sum + value;
  });
  // what lies beyond the last key is e^−87 or less, but a score far below the greatest is no more
  const float total = horizontal_sum(sum);
  store(lanes, log(set1(total)));
  const float logarithm = lanes[0];
  store(lanes, set1(1.0f) / set1(total));
  inverse = lanes[0];
  return top + logarithm;
}

}  // namespace LFM_TARGET
}  // namespace lfm
