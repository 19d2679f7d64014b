/** The vector layer on AVX2 with FMA: 8 lanes, 16 registers. See simd.h. */
#pragma once

#include <immintrin.h>

namespace lfm {
namespace LFM_TARGET {

constexpr int W = 8;
/** Register block of the matrix product: rows × vectors. 12 accumulators, 2 loads, 1 broadcast of 16 registers. */
constexpr int BLOCK_ROWS = 6;
constexpr int BLOCK_VECTORS = 2;

typedef __m256 V;
typedef int32_t I __attribute__((vector_size(32)));
typedef uint32_t U __attribute__((vector_size(32)));
typedef __m256 M;

LFM_INLINE V load(const float* p) { return _mm256_loadu_ps(p); }
LFM_INLINE void store(float* p, V v) { _mm256_storeu_ps(p, v); }
LFM_INLINE __m256i first_lanes(int n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
/** The first n lanes, 0 in the others; reads no further. */
LFM_INLINE V load_first(const float* p, int n) { return _mm256_maskload_ps(p, first_lanes(n)); }
LFM_INLINE void store_first(float* p, V v, int n) { _mm256_maskstore_ps(p, first_lanes(n), v); }
LFM_INLINE V set1(float x) { return _mm256_set1_ps(x); }
LFM_INLINE I set1_int(int32_t x) { return (I)_mm256_set1_epi32(x); }
LFM_INLINE U set1_uint(uint32_t x) { return (U)_mm256_set1_epi32(static_cast<int32_t>(x)); }
LFM_INLINE I as_int(V v) { return (I)v; }
LFM_INLINE V as_float(I v) { return (V)v; }

/** a·b + c and c − a·b, rounded once. */
LFM_INLINE V fma(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
LFM_INLINE V fnma(V a, V b, V c) { return _mm256_fnmadd_ps(a, b, c); }
/** If either is NaN the result is b: pass the bound first, so that a NaN value passes through. */
LFM_INLINE V max(V a, V b) { return _mm256_max_ps(a, b); }
LFM_INLINE V min(V a, V b) { return _mm256_min_ps(a, b); }
LFM_INLINE V sqrt(V a) { return _mm256_sqrt_ps(a); }

LFM_INLINE M less(V a, V b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
LFM_INLINE M is_set(I v) { return (M)(v != 0); }
/** m ? a : b */
LFM_INLINE V select(M m, V a, V b) { return _mm256_blendv_ps(b, a, m); }

LFM_INLINE V round_even(V v) { return _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
LFM_INLINE I to_int(V v) { return (I)_mm256_cvtps_epi32(v); }
LFM_INLINE V to_float(I v) { return _mm256_cvtepi32_ps((__m256i)v); }
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
  const __m256i b = _mm256_set1_epi32(static_cast<int32_t>(m));
  const __m256i even = _mm256_mul_epu32((__m256i)a, b);
  const __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64((__m256i)a, 32), b);
  low = (U)_mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa);
  high = (U)_mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
}

}  // namespace LFM_TARGET
}  // namespace lfm
