/** See winograd.h. */

#include "winograd.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

// the points a and b, and what their polynomials need: exact in float32, but for the factors of the taps
constexpr float A = 5.0f / 8, B = 3.0f / 2, A2 = A * A, B2 = B * B, A3 = A2 * A, B3 = B2 * B;
/** 1 / Π (p − q) over the other points q, for p = 0, ±a, ±b */
constexpr float AT_0 = 1 / (A2 * B2), AT_A = 1 / (2 * A2 * (A2 - B2)), AT_B = 1 / (2 * B2 * (B2 - A2));

/** Bᵀ d */
struct PixelsToPoints {
  static constexpr int IN = POINTS, OUT = POINTS;
  static LFM_INLINE void apply(const V* d, V* t) {
    const V a = set1(A), b = set1(B), a2 = set1(A2), b2 = set1(B2), product = set1(A2 * B2), sum = set1(A2 + B2);
    t[0] = fma(product, d[0], fnma(sum, d[2], d[4]));
    const V even_a = fnma(b2, d[2], d[4]), odd_a = fnma(b2, d[1], d[3]);
    t[1] = fma(a, odd_a, even_a);
    t[2] = fnma(a, odd_a, even_a);
    const V even_b = fnma(a2, d[2], d[4]), odd_b = fnma(a2, d[1], d[3]);
    t[3] = fma(b, odd_b, even_b);
    t[4] = fnma(b, odd_b, even_b);
    t[5] = fma(product, d[1], fnma(sum, d[3], d[5]));
  }
};

/** Aᵀ m */
struct PointsToPixels {
  static constexpr int IN = POINTS, OUT = TILE;
  static LFM_INLINE void apply(const V* m, V* y) {
    const V sum_a = m[1] + m[2], difference_a = m[1] - m[2], sum_b = m[3] + m[4], difference_b = m[3] - m[4];
    y[0] = m[0] + (sum_a + sum_b);
    y[1] = fma(set1(A), difference_a, set1(B) * difference_b);
    y[2] = fma(set1(A2), sum_a, set1(B2) * sum_b);
    y[3] = fma(set1(A3), difference_a, fma(set1(B3), difference_b, m[5]));
  }
};

/** G g */
struct TapsToPoints {
  static constexpr int IN = 3, OUT = POINTS;
  static LFM_INLINE void apply(const V* g, V* u) {
    u[0] = set1(AT_0) * g[0];
    const V even_a = set1(AT_A) * fma(set1(A2), g[2], g[0]), odd_a = set1(A * AT_A) * g[1];
    u[1] = even_a + odd_a;
    u[2] = even_a - odd_a;
    const V even_b = set1(AT_B) * fma(set1(B2), g[2], g[0]), odd_b = set1(B * AT_B) * g[1];
    u[3] = even_b + odd_b;
    u[4] = even_b - odd_b;
    u[5] = g[2];
  }
};

/** A dy */
struct GradientToPoints {
  static constexpr int IN = TILE, OUT = POINTS;
  static LFM_INLINE void apply(const V* d, V* z) {
    const V a = set1(A), b = set1(B), a2 = set1(A2), b2 = set1(B2);
    z[0] = d[0];
    const V even_a = fma(a2, d[2], d[0]), odd_a = fma(a2, d[3], d[1]);
    z[1] = fma(a, odd_a, even_a);
    z[2] = fnma(a, odd_a, even_a);
    const V even_b = fma(b2, d[2], d[0]), odd_b = fma(b2, d[3], d[1]);
    z[3] = fma(b, odd_b, even_b);
    z[4] = fnma(b, odd_b, even_b);
    z[5] = d[3];
  }
};

/** Gᵀ m */
struct PointsToTaps {
  static constexpr int IN = POINTS, OUT = 3;
  static LFM_INLINE void apply(const V* m, V* g) {
    const V sum_a = set1(AT_A) * (m[1] + m[2]), sum_b = set1(AT_B) * (m[3] + m[4]);
    g[0] = fma(set1(AT_0), m[0], sum_a + sum_b);
    g[1] = fma(set1(A * AT_A), m[1] - m[2], set1(B * AT_B) * (m[3] - m[4]));
    g[2] = fma(set1(A2), sum_a, fma(set1(B2), sum_b, m[5]));
  }
};

/** A transform along both directions: read(i, j) gives IN × IN vectors, write(i, j, vector) takes OUT × OUT. */
template <class Transform, class Read, class Write>
LFM_INLINE void transform(Read read, Write write) {
  V half[Transform::OUT][Transform::IN];
#pragma GCC unroll 6
  for (int j = 0; j < Transform::IN; j++) {
    V column[Transform::IN], out[Transform::OUT];
#pragma GCC unroll 6
    for (int i = 0; i < Transform::IN; i++) column[i] = read(i, j);
    Transform::apply(column, out);
#pragma GCC unroll 6
    for (int i = 0; i < Transform::OUT; i++) half[i][j] = out[i];
  }
#pragma GCC unroll 6
  for (int i = 0; i < Transform::OUT; i++) {
    V out[Transform::OUT];
    Transform::apply(half[i], out);
#pragma GCC unroll 6
    for (int j = 0; j < Transform::OUT; j++) write(i, j, out[j]);
  }
}

/**
 * Transforms tiles [first, first + rows) as Tiles::pack says; took(picture, whether this is its first tile, c, sum) is told
 * what the pixels of the channels from c on add up to.
 */
template <class Transform, class Took>
LFM_INLINE void pack_tiles(const Tiles& tiles, int64_t first, int64_t rows, const float* zeros, float* to,
                           int64_t stride, Took took) {
  constexpr int IN = Transform::IN;
  const Patches& of = tiles.of;
  const int64_t area = tiles.down * tiles.across;
  int64_t b = first / area, y = first % area / tiles.across, x = first % tiles.across;
  for (int64_t r = 0; r < rows; r++) {
    const float* at[IN][IN];
    const float* const picture = of.from.data + b * of.from.picture;
    int64_t columns[IN];
    for (int j = 0; j < IN; j++) columns[j] = of.place(x * TILE + j + of.offset_x, of.from.W);
    for (int i = 0; i < IN; i++) {
      const int64_t line = of.place(y * TILE + i + of.offset_y, of.from.H);
      for (int j = 0; j < IN; j++) {
        at[i][j] = line < 0 || columns[j] < 0 ? zeros : picture + (line * of.from.W + columns[j]) * of.from.pixel;
      }
    }
    for (int64_t c = 0; c < of.C; c += W) {
      float* const out = to + c / PANEL * PANEL * rows + r * PANEL + c % PANEL;
      const int lanes = static_cast<int>(least<int64_t>(W, of.C - c));
      V sum = zero();
      const auto with = [&](auto read) __attribute__((always_inline)) {
        transform<Transform>(
            [&](int i, int j) __attribute__((always_inline)) {
              const V v = read(at[i][j] + c);
              sum = sum + v;
              return v;
            },
            [&](int i, int j, V v) __attribute__((always_inline)) { store(out + (i * POINTS + j) * stride, v); });
      };
      if (lanes == W) {
        with([](const float* p) __attribute__((always_inline)) { return load(p); });
      } else {
        with([lanes](const float* p) __attribute__((always_inline)) { return load_first(p, lanes); });
      }
      took(b, x == 0 && y == 0, c, sum);
    }
    if (++x == tiles.across) {
      x = 0;
      if (++y == tiles.down) {
        y = 0;
        b++;
      }
    }
  }
}

}  // namespace

void Tiles::pack(int64_t first, int64_t rows, const float* zeros, float* to, int64_t stride) const {
  pack_tiles<PixelsToPoints>(*this, first, rows, zeros, to, stride,
                             [](int64_t, bool, int64_t, V) __attribute__((always_inline)) {});
}

void Tiles::pack_gradient(int64_t first, int64_t rows, const float* zeros, float* to, int64_t stride, float* sums,
                          int64_t pitch) const {
  const auto add = [&](int64_t picture, bool begins, int64_t c, V sum) __attribute__((always_inline)) {
    float* const at = sums + picture * pitch + c;
    store(at, begins ? sum : load(at) + sum);
  };
  pack_tiles<GradientToPoints>(*this, first, rows, zeros, to, stride, add);
}

TileWeights TileWeights::of(Workers& workers, const float* weight, int64_t C, int64_t N, float* out) {
  const int64_t distance = stride(C, N);
  parallel_ranges(workers, C, 8, [&](int64_t first, int64_t last) {
    for (int64_t n = 0; n < N; n += W) {
      const int lanes = static_cast<int>(least<int64_t>(W, N - n));
      const int64_t panel = n / PANEL * PANEL;
      // the last panel has as many vectors as there are columns for
      const int64_t pitch = least<int64_t>(PANEL, round_up(N - panel, W));
      for (int64_t c = first; c < last; c++) {
        const float* const taps = weight + c * N + n;
        float* const to = out + panel * C + c * pitch + n % PANEL;
        transform<TapsToPoints>(
            [&](int i, int j) __attribute__((always_inline)) {
              const float* const tap = taps + (i * 3 + j) * C * N;
              return lanes == W ? load(tap) : load_first(tap, lanes);
            },
            [&](int i, int j, V v) __attribute__((always_inline)) { store(to + (i * POINTS + j) * distance, v); });
      }
    }
  });
  return {out, C, N};
}

void multiply_tiles(const float* tiles, int64_t tiles_stride, int64_t rows, const TileWeights& weights, int64_t column,
                    float* out, int64_t out_stride, Fetch& fetch) {
  const int64_t C = weights.C, stride = TileWeights::stride(C, weights.N);
  const int vectors = static_cast<int>(divide_up(least<int64_t>(PANEL, weights.N - column), W));
  const int64_t blocks = divide_up(rows, BLOCK_ROWS);
  for (int64_t point = 0; point < PRODUCTS; point++) {
    const float* const right = weights.data + point * stride + column * C;
    for (int64_t i = 0; i < blocks; i++) {
      const int64_t row = i * rows / blocks, height = (i + 1) * rows / blocks - row;
      micro_strip[vectors - 1][height - 1](C, tiles + point * tiles_stride + row * PANEL, rows * PANEL, right,
                                           out + point * out_stride + row * vectors * W, fetch);
    }
  }
}

void reduce_tiles(const float* left, int64_t left_stride, int64_t C, const float* right, int64_t right_stride, int64_t N,
                  int64_t rows, bool accumulate, float* out, int64_t out_stride, Fetch& fetch) {
  for (int64_t point = 0; point < PRODUCTS; point++, left += left_stride, right += right_stride, out += out_stride) {
    for (int64_t column = 0; column < N; column += PANEL) {
      const int vectors = static_cast<int>(divide_up(least<int64_t>(PANEL, N - column), W));
      for (int64_t panel = 0; panel < C; panel += PANEL) {
        const int64_t width = least<int64_t>(PANEL, C - panel), blocks = divide_up(width, BLOCK_ROWS);
        for (int64_t i = 0; i < blocks; i++) {
          const int64_t m = i * width / blocks, height = (i + 1) * width / blocks - m;
          micro_reduction[vectors - 1][height - 1](rows, left + panel * rows + m, PANEL, right + column * rows, PANEL,
                                                   accumulate, out + column * C + (panel + m) * PANEL, fetch);
        }
      }
    }
  }
}

void finish_tiles(const float* products, int64_t stride, int64_t row, int64_t run, int vectors, float* lines) {
  const int64_t pixel = vectors * W, line = run * TILE * pixel;
  for (int64_t r = 0; r < run; r++) {
    for (int v = 0; v < vectors; v++) {
      const float* const from = products + (row + r) * pixel + v * W;
      float* const to = lines + r * TILE * pixel + v * W;
      transform<PointsToPixels>(
          [&](int i, int j) __attribute__((always_inline)) { return load(from + (i * POINTS + j) * stride); },
          [&](int i, int j, V value) __attribute__((always_inline)) { store(to + i * line + j * pixel, value); });
    }
  }
}

void finish_taps(const float* products, int64_t stride, int64_t C, int64_t N, float* taps) {
  for (int64_t n = 0; n < N; n += W) {
    const int64_t panel = n / PANEL * PANEL, lane = n % PANEL;
    for (int64_t c = 0; c < C; c++) {
      const float* const from = products + panel * C + c * PANEL + lane;
      float* const to = taps + panel * 9 * C + c * PANEL + lane;
      transform<PointsToTaps>(
          [&](int i, int j) __attribute__((always_inline)) { return load(from + (i * POINTS + j) * stride); },
          [&](int i, int j, V v) __attribute__((always_inline)) { store(to + (i * 3 + j) * C * PANEL, v); });
    }
  }
}

}  // namespace LFM_TARGET
}  // namespace lfm
