/**
 * What attention's forward and backward pass share (src/kernels/attention.ts): where a head's queries, keys and values
 * lie, and the scores of a block of queries as a strip whose columns are the keys.
 */
#pragma once

#include "product.h"
#include "simd/greatest.h"
#include "simd/lanes.h"
#include "simd/math.h"
#include "strip.h"

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
  /** 1/√d, which queries are multiplied with when they are packed. */
  float scale() const {
    float lanes[W];
    store(lanes, set1(1.0f) / sqrt(set1(static_cast<float>(d))));
    return lanes[0];
  }
  /** Queries [first, first + out.rows), scaled. */
  void pack_queries(int64_t b, int64_t head, int64_t first, const Strip& out) const {
    pack_strip(view(b, head, Q).from(first, 0), d, out);
    const V factor = set1(scale());
    for (int64_t i = 0; i < Strip::floats(out.rows, d); i += W) store(out.data + i, load(out.data + i) * factor);
  }

  /** Adds q, k and v of a task, if there is one, to what is prefetched: rows too far apart for the processor's own prefetching. */
  void announce(int64_t task, Fetch& fetch) const {
    if (task < B * heads) fetch.add(data + offset(task / heads, task % heads, Q), N, 3 * d, 3 * C);
  }
  /** Prefetching steps in the tiles of a product with all queries of a head. */
  int64_t steps() const {
    return divide_up(N, QUERIES) * divide_up(N, PANEL) * (QUERIES / BLOCK_ROWS) * (d / FETCH_DEPTH);
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

  /** out = a·b, as a strip. A tile is one panel of the result, so that it is written where it belongs. */
  static void product(const Strip& a, const Packed& b, const Strip& out, Fetch& fetch) {
    if (b.dots() || b.columns % PANEL != 0) {
      strip_product(a, b, [&](const float* tile, int stride, int64_t row, int height, int64_t column, int width) {
        for (int r = 0; r < height; r++) {
          for (int v = 0; v < width; v += W) store(out.at(row + r, column) + v, load(tile + r * stride + v));
        }
      });
      return;
    }
    const int64_t tiles = divide_up(a.rows, BLOCK_ROWS);
    for (int64_t column = 0; column < b.columns; column += PANEL) {
      for (int64_t i = 0; i < tiles; i++) {
        const int64_t row = i * a.rows / tiles, height = (i + 1) * a.rows / tiles - row;
        micro_strip[BLOCK_VECTORS - 1][height - 1](b.depth, a.data + row * PANEL, a.rows * PANEL,
                                                   b.data + column * b.depth, out.at(row, column), fetch);
      }
    }
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

/**
 * exp(score − greatest) of each of at most QUERIES rows in place; log_sum_exp[r] = log Σ exp(score), and inverse[r] =
 * 1/Σ exp(score − greatest), which has room for whole vectors.
 */
inline void softmax_rows(const Strip& scores, int64_t N, float* log_sum_exp, float* inverse) {
  float tops[QUERIES], totals[QUERIES + W];
  for (int64_t r = scores.rows; r < QUERIES + W; r++) totals[r] = 1;
  for (int64_t r = 0; r < scores.rows; r++) {
    V greatest = set1(-3.4e38f);
    along_row(scores, r, N, [&](float* at, int lanes) __attribute__((always_inline)) {
      if (lanes < W) {
        // beyond the last key: nothing
        float values[W];
        store(values, set1(-3.4e38f));
        memcpy(values, at, static_cast<size_t>(lanes) * sizeof(float));
        store(at, load(values));
      }
      greatest = max(greatest, load(at));
    });
    tops[r] = horizontal_max(greatest);
    const V top = set1(tops[r]);
    V sum = zero();
    along_row(scores, r, N, [&](float* at, int) __attribute__((always_inline)) {
      const V value = exp_of_negative(load(at) - top);
      store(at, value);
      sum = sum + value;
    });
    // what lies beyond the last key is e^−87 or less, but a score far below the greatest is no more
    totals[r] = horizontal_sum(sum);
  }
  for (int64_t r = 0; r < scores.rows; r += W) {
    const int lanes = static_cast<int>(least<int64_t>(W, scores.rows - r));
    const V total = load(totals + r);
    store(inverse + r, set1(1.0f) / total);
    store_lanes(log_sum_exp + r, load_lanes(tops + r, lanes) + log(total), lanes);
  }
}

}  // namespace LFM_TARGET
}  // namespace lfm
