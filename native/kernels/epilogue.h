/**
 * Epilogues of matrix products: what is done to a finished tile while it is in the first-level cache. Bias, time,
 * activation and scale in the forward pass; the activation's derivative in the backward pass. Not kernels themselves.
 */
#pragma once

#include "simd/activations.h"
#include "simd/lanes.h"
#include "strip.h"

namespace lfm {
namespace LFM_TARGET {

/**
 * y = scale·act(z), z = tile + bias + t·time_weight, for a layer with N outputs. Rows are counted from the first of y.
 */
struct ForwardEpilogue {
  const float* bias;
  const float* time;
  /** 1: a time for each row; 0: one for all */
  int64_t time_stride;
  const float* time_weight;
  float* y;
  float* z;
  int64_t N;
  int activation;
  float beta, scale;

  /** What the tiles of `rows` rows from `row` on will touch. */
  LFM_INLINE void announce(int64_t row, int64_t rows, Fetch& fetch) const {
    fetch.add(y + row * N, rows * N);
    if (z) fetch.add(z + row * N, rows * N);
  }

  template <class Act>
  LFM_INLINE void apply(const float* tile, int stride, int64_t row, int rows, int64_t column, int width) const {
    const V sharpness = set1(beta), inverse = set1(1.0f / beta), factor = set1(scale);
    for_vectors(width, [&](int v, int lanes) {
      const V b = load_lanes(bias + column + v, lanes);
      const V w = time ? load_lanes(time_weight + column + v, lanes) : zero();
      for (int r = 0; r < rows; r++) {
        V sum = load(tile + r * stride + v) + b;
        if (time) sum = fma(set1(time[(row + r) * time_stride]), w, sum);
        const int64_t at = (row + r) * N + column + v;
        if (z) store_lanes(z + at, sum, lanes);
        store_lanes(y + at, Act::value(sum, sharpness, inverse) * factor, lanes);
      }
    });
  }

  LFM_INLINE void operator()(const float* tile, int stride, int64_t row, int rows, int64_t column, int width) const {
    with_activation(activation, [&](auto act) {
      apply<decltype(act)>(tile, stride, row, rows, column, width);
    });
  }
};

/**
 * y = scale·(tile + time·time_weight) ⊙ act'(saved), saved [saved_rows, N], its row that of y modulo saved_rows; without saved:
 * y = scale·(tile + time·time_weight). Without time, the tile alone.
 */
struct DerivativeEpilogue {
  const float* saved;
  int64_t saved_rows;
  /** row of y that a tile's row 0 is */
  int64_t first_row;
  float* y;
  int64_t N;
  int activation;
  float beta, scale;
  const float* time = nullptr;
  /** 1: a time for each row of y; 0: one for all */
  int64_t time_stride = 0;
  const float* time_weight = nullptr;

  LFM_INLINE void announce(int64_t row, int64_t rows, Fetch& fetch) const {
    fetch.add(y + (first_row + row) * N, rows * N);
    if (saved) fetch.add(saved + saved_row_of(first_row + row) * N, rows * N);
  }

  /** row % saved_rows; a division only where rows of saved are used again */
  LFM_INLINE int64_t saved_row_of(int64_t row) const { return row < saved_rows ? row : row % saved_rows; }

  template <class Act>
  LFM_INLINE void apply(const float* tile, int stride, int64_t row, int rows, int64_t column, int width) const {
    const V sharpness = set1(beta), factor = set1(scale);
    const int64_t first = first_row + row;
    const int64_t first_saved = saved_row_of(first);
    for_vectors(width, [&](int v, int lanes) {
      int64_t saved_row = first_saved;
      const V w = time ? load_lanes(time_weight + column + v, lanes) : zero();
      for (int r = 0; r < rows; r++) {
        V value = load(tile + r * stride + v);
        if (time) value = fma(set1(time[(first + r) * time_stride]), w, value);
        value = value * factor;
        if (saved) {
          value = value * Act::derivative(load_lanes(saved + saved_row * N + column + v, lanes), sharpness);
          if (++saved_row == saved_rows) saved_row = 0;
        }
        store_lanes(y + (first + r) * N + column + v, value, lanes);
      }
    });
  }

  LFM_INLINE void operator()(const float* tile, int stride, int64_t row, int rows, int64_t column, int width) const {
    with_activation(saved ? activation : 0, [&](auto act) {
      apply<decltype(act)>(tile, stride, row, rows, column, width);
    });
  }
};

}  // namespace LFM_TARGET
}  // namespace lfm
