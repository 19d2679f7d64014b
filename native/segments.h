/** Segments of a row of mixed columns (src/kernels/segments.ts): where they lie, and their softmax. */
#pragma once

#include <cstring>

#include "kernel.h"
#include "simd/greatest.h"
#include "simd/lanes.h"
#include "simd/math.h"
#include "simd/simd.h"

namespace lfm {
namespace LFM_TARGET {

/** A segment's first column and its length; nothing beyond D, whatever `starts` holds. */
struct Segment {
  int64_t first, length;
};

/** A column's number that is a float, at most D. */
LFM_INLINE int64_t column_of(float number, int64_t D) {
  if (!(number > 0)) return 0;
  return number < static_cast<float>(D) ? static_cast<int64_t>(number) : D;
}

LFM_INLINE Segment segment_of(const float* starts, int64_t s, int64_t D) {
  const int64_t first = column_of(starts[s], D), end = column_of(starts[s + 1], D);
  return {first, most<int64_t>(0, end - first)};
}

/** Numbers of a segment; beyond its end so low ones that their exponentials are nothing. */
LFM_INLINE V load_logits(const float* p, int lanes) {
  if (lanes == W) return load(p);
  float values[W];
  store(values, set1(-3.4e38f));
  memcpy(values, p, static_cast<size_t>(lanes) * sizeof(float));
  return load(values);
}

/** The greatest of a segment's numbers, and the sum of exp(number − greatest). */
struct Whole {
  float top, sum;
};

LFM_INLINE Whole whole_of(const float* x, int64_t length) {
  V greatest = set1(-3.4e38f);
  for (int64_t d = 0; d < length; d += W) {
    greatest = max(greatest, load_logits(x + d, static_cast<int>(least<int64_t>(W, length - d))));
  }
  const float top = horizontal_max(greatest);
  V sum = zero();
  for (int64_t d = 0; d < length; d += W) {
    sum = sum + exp_of_negative(load_logits(x + d, static_cast<int>(least<int64_t>(W, length - d))) - set1(top));
  }
  return {top, horizontal_sum(sum)};
}

}  // namespace LFM_TARGET
}  // namespace lfm
