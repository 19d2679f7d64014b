/**
 * The vector layer on SSE2, which every x86-64 processor has: 4 lanes, 16 registers, no fused multiply-add. See simd.h.
 */
#pragma once

#include <emmintrin.h>

namespace lfm {
namespace LFM_TARGET {

constexpr int W = 4;
/**
 * Register block of the matrix product: rows × vectors. 8 accumulators: without fused multiply-adds products need room.
 */
constexpr int BLOCK_ROWS = 4;
constexpr int BLOCK_VECTORS = 2;

typedef __m128 V;
typedef int32_t I __attribute__((vector_size(16)));
typedef uint32_t U __attribute__((vector_size(16)));
typedef __m128 M;

LFM_INLINE V load(const float* p) { return _mm_loadu_ps(p); }
LFM_INLINE void store(float* p, V v) { _mm_storeu_ps(p, v); }
/** The first n lanes, 0 in the others; reads no further. */
LFM_INLINE V load_first(const float* p, int n) {
  float lanes[W] = {0, 0, 0, 0};
  for (int i = 0; i < n; i++) lanes[i] = p[i];
  return load(lanes);
}
LFM_INLINE void store_first(float* p, V v, int n) {
  float lanes[W];
  store(lanes, v);
  for (int i = 0; i < n; i++) p[i] = lanes[i];
}
LFM_INLINE V set1(float x) { return _mm_set1_ps(x); }
LFM_INLINE I set1_int(int32_t x) { return (I)_mm_set1_epi32(x); }
LFM_INLINE U set1_uint(uint32_t x) { return (U)_mm_set1_epi32(static_cast<int32_t>(x)); }
LFM_INLINE I as_int(V v) { return (I)v; }
LFM_INLINE V as_float(I v) { return (V)v; }

/** a·b + c and c − a·b; rounded twice, the processor has no other way. */
LFM_INLINE V fma(V a, V b, V c) { return a * b + c; }
LFM_INLINE V fnma(V a, V b, V c) { return c - a * b; }
/** If either is NaN the result is b: pass the bound first, so that a NaN value passes through. */
LFM_INLINE V max(V a, V b) { return _mm_max_ps(a, b); }
LFM_INLINE V min(V a, V b) { return _mm_min_ps(a, b); }
LFM_INLINE V sqrt(V a) { return _mm_sqrt_ps(a); }

LFM_INLINE M less(V a, V b) { return _mm_cmplt_ps(a, b); }
LFM_INLINE M is_set(I v) { return (M)(v != 0); }
/** m ? a : b */
LFM_INLINE V select(M m, V a, V b) { return _mm_or_ps(_mm_and_ps(m, a), _mm_andnot_ps(m, b)); }

LFM_INLINE I to_int(V v) { return (I)_mm_cvtps_epi32(v); }
LFM_INLINE V to_float(I v) { return _mm_cvtepi32_ps((__m128i)v); }
/** For magnitudes below 2³¹. */
LFM_INLINE V round_even(V v) { return to_float(to_int(v)); }
/**
 * v·2ⁿ for whole n in [−160, 128], also where the result is subnormal or infinite: two factors, each a normal number.
 */
LFM_INLINE V scale_by_power(V v, V n) {
  const I whole = to_int(n);
  const I half = whole >> 1;
  return v * as_float((half + 127) << 23) * as_float((whole - half + 127) << 23);
}

/** The 64-bit products a·m of all lanes, as low and high words. */
LFM_INLINE void multiply_wide(U a, uint32_t m, U& low, U& high) {
  const __m128i b = _mm_set1_epi32(static_cast<int32_t>(m));
  const __m128i even = _mm_mul_epu32((__m128i)a, b);
  const __m128i odd = _mm_mul_epu32(_mm_srli_epi64((__m128i)a, 32), b);
  const __m128i low_words = _mm_set1_epi64x(0xffffffff);
  low = (U)_mm_or_si128(_mm_and_si128(even, low_words), _mm_slli_epi64(odd, 32));
  high = (U)_mm_or_si128(_mm_srli_epi64(even, 32), _mm_andnot_si128(low_words, odd));
}

}  // namespace LFM_TARGET
}  // namespace lfm
