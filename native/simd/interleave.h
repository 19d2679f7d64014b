/** Two vectors of words lane by lane, a₀ b₀ a₁ b₁ …: `first` is the first half, `second` the other. */
#pragma once

#include "simd/simd.h"

namespace lfm {
namespace LFM_TARGET {

LFM_INLINE void interleave(U a, U b, U& first, U& second) {
#if defined(__AVX512F__)
  const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const __m512i high = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  first = (U)_mm512_permutex2var_epi32((__m512i)a, low, (__m512i)b);
  second = (U)_mm512_permutex2var_epi32((__m512i)a, high, (__m512i)b);
#elif defined(__AVX2__)
  // pairs within each half of 128 bits, then the halves
  const __m256i low = _mm256_unpacklo_epi32((__m256i)a, (__m256i)b);
  const __m256i high = _mm256_unpackhi_epi32((__m256i)a, (__m256i)b);
  first = (U)_mm256_permute2x128_si256(low, high, 0x20);
  second = (U)_mm256_permute2x128_si256(low, high, 0x31);
#elif defined(__SSE2__)
  first = (U)_mm_unpacklo_epi32((__m128i)a, (__m128i)b);
  second = (U)_mm_unpackhi_epi32((__m128i)a, (__m128i)b);
#else
  first = (U)vzip1q_u32((uint32x4_t)a, (uint32x4_t)b);
  second = (U)vzip2q_u32((uint32x4_t)a, (uint32x4_t)b);
#endif
}

}  // namespace LFM_TARGET
}  // namespace lfm
