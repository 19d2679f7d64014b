/** The vector layer on AVX-512 F, BW, DQ and VL: 16 lanes, 32 registers, masked loads and stores. See simd.h. */
#pragma once

#include <immintrin.h>

namespace lfm {
namespace LFM_TARGET {

constexpr int W = 16;
/** Register block of the matrix product: rows × vectors. 28 accumulators, 2 loads, 1 broadcast of 32 registers. */
constexpr int BLOCK_ROWS = 14;
constexpr int BLOCK_VECTORS = 2;

typedef __m512 V;
typedef int32_t I __attribute__((vector_size(64)));
typedef uint32_t U __attribute__((vector_size(64)));
typedef __mmask16 M;

LFM_INLINE V load(const float* p) { return _mm512_loadu_ps(p); }
LFM_INLINE void store(float* p, V v) { _mm512_storeu_ps(p, v); }
LFM_INLINE M first_lanes(int n) { return static_cast<M>((1u << n) - 1u); }
/** The first n lanes, 0 in the others; reads no further. */
LFM_INLINE V load_first(const float* p, int n) { return _mm512_maskz_loadu_ps(first_lanes(n), p); }
LFM_INLINE void store_first(float* p, V v, int n) { _mm512_mask_storeu_ps(p, first_lanes(n), v); }
LFM_INLINE V set1(float x) { return _mm512_set1_ps(x); }
LFM_INLINE I set1_int(int32_t x) { return (I)_mm512_set1_epi32(x); }
LFM_INLINE U set1_uint(uint32_t x) { return (U)_mm512_set1_epi32(static_cast<int32_t>(x)); }
LFM_INLINE I as_int(V v) { return (I)v; }
LFM_INLINE V as_float(I v) { return (V)v; }

/** a·b + c and c − a·b, rounded once. */
LFM_INLINE V fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
LFM_INLINE V fnma(V a, V b, V c) { return _mm512_fnmadd_ps(a, b, c); }
/** If either is NaN the result is b: pass the bound first, so that a NaN value passes through. */
LFM_INLINE V max(V a, V b) { return _mm512_max_ps(a, b); }
LFM_INLINE V min(V a, V b) { return _mm512_min_ps(a, b); }
LFM_INLINE V sqrt(V a) { return _mm512_sqrt_ps(a); }

LFM_INLINE M less(V a, V b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
LFM_INLINE M is_set(I v) { return _mm512_test_epi32_mask((__m512i)v, (__m512i)v); }
/** m ? a : b */
LFM_INLINE V select(M m, V a, V b) { return _mm512_mask_blend_ps(m, b, a); }

LFM_INLINE V round_even(V v) { return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
LFM_INLINE I to_int(V v) { return (I)_mm512_cvtps_epi32(v); }
LFM_INLINE V to_float(I v) { return _mm512_cvtepi32_ps((__m512i)v); }
/** v·2ⁿ for whole n in [−160, 128], also where the result is subnormal or infinite. */
LFM_INLINE V scale_by_power(V v, V n) { return _mm512_scalef_ps(v, n); }

/** The 64-bit products a·m of all lanes, as low and high words. */
LFM_INLINE void multiply_wide(U a, uint32_t m, U& low, U& high) {
  const __m512i b = _mm512_set1_epi32(static_cast<int32_t>(m));
  const __m512i even = _mm512_mul_epu32((__m512i)a, b);
  const __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64((__m512i)a, 32), b);
  low = (U)_mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64(odd, 32));
  high = (U)_mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(even, 32), odd);
}

}  // namespace LFM_TARGET
}  // namespace lfm
