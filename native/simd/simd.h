/**
 * The vector layer: one set of names over AVX-512, AVX2, SSE2 and NEON, so that a kernel is written once and compiled
 * once for each target (LFM_TARGET names the namespace). V is a vector of W floats, I of W 32-bit integers, U of W
 * unsigned ones, M a mask of W lanes. + − * / and the bitwise operators come from the compiler's own vector types;
 * fused multiply-adds are always written out, so that rounding does not depend on what a compiler contracts.
 *
 * Files compiled per target must not instantiate templates or inline functions of the standard library: the linker
 * keeps one copy of each, and the copy with AVX-512 in it would run on machines without. Everything here is in the
 * target's namespace for the same reason.
 */
#pragma once

#include <cstdint>
#include <cstring>

#if !defined(LFM_TARGET)
#error "LFM_TARGET must name the instruction set that this file is compiled for"
#endif

#define LFM_INLINE inline __attribute__((always_inline))

#if defined(__AVX512F__)
#include "simd/avx512.h"
#elif defined(__AVX2__)
#include "simd/avx2.h"
#elif defined(__SSE2__)
#include "simd/sse2.h"
#elif defined(__ARM_NEON)
#include "simd/neon.h"
#else
#error "no vector layer for this processor"
#endif

namespace lfm {
namespace LFM_TARGET {

/** The sum of all lanes, added in a fixed tree. */
LFM_INLINE float horizontal_sum(V v) {
  float lanes[W];
  store(lanes, v);
  for (int half = W / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; i++) lanes[i] += lanes[i + half];
  }
  return lanes[0];
}

LFM_INLINE V zero() { return set1(0.0f); }
LFM_INLINE V abs(V v) { return as_float(as_int(v) & set1_int(0x7fffffff)); }
LFM_INLINE V negative_abs(V v) { return as_float(as_int(v) | set1_int(static_cast<int32_t>(0x80000000u))); }
/** The magnitude of `v` with the sign of `s`. */
LFM_INLINE V copysign(V v, V s) {
  return as_float((as_int(v) & set1_int(0x7fffffff)) | (as_int(s) & set1_int(static_cast<int32_t>(0x80000000u))));
}

template <class T>
LFM_INLINE T least(T a, T b) {
  return b < a ? b : a;
}
template <class T>
LFM_INLINE T most(T a, T b) {
  return a < b ? b : a;
}
LFM_INLINE constexpr int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
LFM_INLINE constexpr int64_t round_up(int64_t a, int64_t b) { return divide_up(a, b) * b; }

}  // namespace LFM_TARGET
}  // namespace lfm
