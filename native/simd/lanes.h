/** Partly filled vectors at the end of a row. */
#pragma once

#include "simd/simd.h"

namespace lfm {
namespace LFM_TARGET {

/** Runs function(vector, lanes) over the vectors of a tile's width; lanes is W, except for a last, partly filled vector. */
template <class Function>
LFM_INLINE void for_vectors(int width, Function function) {
  for (int column = 0; column < width; column += W) function(column, least(W, width - column));
}

/** load_first and store_first, without the mask where the vector is whole. */
LFM_INLINE V load_lanes(const float* p, int lanes) { return lanes == W ? load(p) : load_first(p, lanes); }
LFM_INLINE void store_lanes(float* p, V v, int lanes) {
  if (lanes == W) {
    store(p, v);
  } else {
    store_first(p, v, lanes);
  }
}

}  // namespace LFM_TARGET
}  // namespace lfm
