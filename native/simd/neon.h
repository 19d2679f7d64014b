/** The vector layer on NEON (arm64): 4 lanes, 32 registers, fused multiply-add. See simd.h. */
#pragma once

#include <arm_neon.h>

namespace lfm {
namespace LFM_TARGET {

constexpr int W = 4;
/** Register block of the matrix product: rows × vectors. 24 accumulators, 3 loads, 1 broadcast of 32 registers. */
constexpr int BLOCK_ROWS = 8;
constexpr int BLOCK_VECTORS = 3;

typedef float32x4_t V;
typedef int32_t I __attribute__((vector_size(16)));
typedef uint32_t U __attribute__((vector_size(16)));
typedef uint32x4_t M;

LFM_INLINE V load(const float* p) { return vld1q_f32(p); }
LFM_INLINE void store(float* p, V v) { vst1q_f32(p, v); }
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
LFM_INLINE V set1(float x) { return vdupq_n_f32(x); }
LFM_INLINE I set1_int(int32_t x) { return (I)vdupq_n_s32(x); }
LFM_INLINE U set1_uint(uint32_t x) { return (U)vdupq_n_u32(x); }
LFM_INLINE I as_int(V v) { return (I)v; }
LFM_INLINE V as_float(I v) { return (V)v; }

/** a·b + c and c − a·b, rounded once. */
LFM_INLINE V fma(V a, V b, V c) { return vfmaq_f32(c, a, b); }
LFM_INLINE V fnma(V a, V b, V c) { return vfmsq_f32(c, a, b); }
/** NaN if either is. */
LFM_INLINE V max(V a, V b) { return vmaxq_f32(a, b); }
LFM_INLINE V min(V a, V b) { return vminq_f32(a, b); }
LFM_INLINE V sqrt(V a) { return vsqrtq_f32(a); }

LFM_INLINE M less(V a, V b) { return vcltq_f32(a, b); }
LFM_INLINE M is_set(I v) { return (M)(v != 0); }
/** m ? a : b */
LFM_INLINE V select(M m, V a, V b) { return vbslq_f32(m, a, b); }

LFM_INLINE V round_even(V v) { return vrndnq_f32(v); }
LFM_INLINE I to_int(V v) { return (I)vcvtnq_s32_f32(v); }
LFM_INLINE V to_float(I v) { return vcvtq_f32_s32((int32x4_t)v); }
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
  const uint32x2_t b = vdup_n_u32(m);
  const uint32x4_t first = vreinterpretq_u32_u64(vmull_u32(vget_low_u32((uint32x4_t)a), b));
  const uint32x4_t second = vreinterpretq_u32_u64(vmull_u32(vget_high_u32((uint32x4_t)a), b));
  low = (U)vuzp1q_u32(first, second);
  high = (U)vuzp2q_u32(first, second);
}

}  // namespace LFM_TARGET
}  // namespace lfm
