/** The greatest number of a vector, for softmax. */
#pragma once

#include "simd/simd.h"

namespace lfm {
namespace LFM_TARGET {

/** The maximum over the lanes. */
LFM_INLINE float horizontal_max(V v) {
  float lanes[W];
  store(lanes, v);
  for (int half = W / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; i++) lanes[i] = lanes[i] < lanes[i + half] ? lanes[i + half] : lanes[i];
  }
  return lanes[0];
}

}  // namespace LFM_TARGET
}  // namespace lfm
