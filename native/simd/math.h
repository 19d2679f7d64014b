/**
 * Elementary functions of vectors: exp, expm1, log, log1p, tanh, sigmoid, softplus, sin, cos, erf. Each is a range
 * reduction and a polynomial fitted by least squares with Lawson's reweighting (near minimax in relative error); the
 * largest errors over the range are stated in test/native/math.test.ts. Those of the activations are summed in pairs
 * (Estrin), since a vector waits for its own chain of multiply-adds more than for a free unit. NaN stays NaN, except in log,
 * which is for positive normal numbers alone. These are the project's own so that every target draws the same batches to
 * within rounding, whatever the C library.
 */
#pragma once

#include "simd/simd.h"

namespace lfm {
namespace LFM_TARGET {

/** x = n·ln 2 + r with |r| ≤ ½ ln 2; returns expm1(r). */
LFM_INLINE V expm1_reduced(V x, V& n) {
  n = round_even(x * set1(1.44269504f));
  V r = fnma(n, set1(0.693145752f), x);
  r = fnma(n, set1(1.42860677e-6f), r);
  const V square = r * r;
  V p = fma(set1(0.00139410247f), square, fma(set1(0.00836675614f), r, set1(0.0416663997f)));
  p = fma(p, square, fma(set1(0.16666542f), r, set1(0.5f)));
  return fma(p, square, r);
}

/** eˣ; 0 below −104, infinite above 88.73. */
LFM_INLINE V exp(V x) {
  x = max(set1(-104.0f), min(set1(89.0f), x));
  V n;
  const V p = expm1_reduced(x, n);
  return scale_by_power(p + set1(1.0f), n);
}

/** 2ⁿ for whole n in [−126, 127]. */
LFM_INLINE V power_of_two(V n) { return as_float((to_int(n) + 127) << 23); }

/** eˣ for x ≤ 0, flushed to 0 (or nearly) below −87: the cheap one for the activations. */
LFM_INLINE V exp_of_negative(V x) {
  V n;
  const V p = expm1_reduced(max(set1(-87.0f), x), n);
#if defined(__AVX512F__)
  return scale_by_power(p + set1(1.0f), n);  // one instruction here; bit-identical
#else
  const V power = power_of_two(n);
  return fma(power, p, power);
#endif
}

/** eˣ − 1 for x ≤ 0 to relative accuracy. */
LFM_INLINE V expm1_of_negative(V x) {
  V n;
  const V p = expm1_reduced(max(set1(-87.0f), x), n);
  const V power = power_of_two(n);
  return fma(power, p, power - set1(1.0f));
}

/** log(1 + u) for 0 ≤ u ≤ 1. */
LFM_INLINE V log1p_of_fraction(V u) {
  const V square = u * u;
  const V high = fma(fma(set1(0.00536468485f), u, set1(-0.0300652348f)), square,
                     fma(set1(0.079203628f), u, set1(-0.137537256f)));
  const V low = fma(fma(set1(0.191536188f), u, set1(-0.248571545f)), square,
                    fma(set1(0.33321321f), u, set1(-0.499996483f)));
  return fma(fma(high, square * square, low), square, u);
}

/** log x for positive normal x. */
LFM_INLINE V log(V x) {
  // x = 2ⁿ·m with m in [√½, √2): adding the difference of 1 and √½ as integers moves the cut from 1 to √½
  const I bits = as_int(x) + (0x3f800000 - 0x3f3504f3);
  const V n = to_float((bits >> 23) - 127);
  const V f = as_float((bits & 0x007fffff) + 0x3f3504f3) - set1(1.0f);
  V p = fma(set1(-0.0763632059f), f, set1(0.127636597f));
  p = fma(p, f, set1(-0.131605014f));
  p = fma(p, f, set1(0.14201504f));
  p = fma(p, f, set1(-0.166233003f));
  p = fma(p, f, set1(0.200012356f));
  p = fma(p, f, set1(-0.250008225f));
  p = fma(p, f, set1(0.333333313f));
  const V square = f * f;
  V rest = fma(p * f, square, n * set1(1.42860677e-6f));
  rest = fnma(set1(0.5f), square, rest);
  return fma(n, set1(0.693145752f), rest + f);
}

/** tanh x = e / (e + 2), e = expm1(2|x|); from 9.1 on it rounds to 1. */
LFM_INLINE V tanh(V x) {
  const V e = expm1_of_negative(set1(-2.0f) * abs(x));
  return copysign(set1(0.0f) - e / (e + set1(2.0f)), x);
}

LFM_INLINE V sigmoid(V x) {
  const V e = exp_of_negative(negative_abs(x));
  const V larger = set1(1.0f) / (set1(1.0f) + e);
  return select(less(x, set1(0.0f)), e * larger, larger);
}

/** log(1 + exp x) */
LFM_INLINE V softplus(V x) {
  return max(set1(0.0f), x) + log1p_of_fraction(exp_of_negative(negative_abs(x)));
}

/** sin and cos together; for |x| up to 8192, beyond which the reduction loses digits. */
LFM_INLINE void sin_cos(V x, V& sine, V& cosine) {
  const V n = round_even(x * set1(0.636619772f));
  // π/2 in parts short enough that n times the first two is exact
  V r = fnma(n, set1(1.5703125f), x);
  r = fnma(n, set1(4.83751297e-4f), r);
  r = fnma(n, set1(7.54978995e-8f), r);
  const V square = r * r;
  V s = fma(set1(-0.000195160115f), square, set1(0.00833216868f));
  s = fma(s, square, set1(-0.166666552f));
  s = fma(s * square, r, r);
  V c = fma(set1(2.44370058e-5f), square, set1(-0.00138873549f));
  c = fma(c, square, set1(0.0416666456f));
  c = fma(c * square, square, fnma(set1(0.5f), square, set1(1.0f)));
  const I quadrant = to_int(n);
  const M odd = is_set(quadrant & 1);
  sine = as_float(as_int(select(odd, c, s)) ^ ((quadrant & 2) << 30));
  cosine = as_float(as_int(select(odd, s, c)) ^ (((quadrant + 1) & 2) << 30));
}

/** Error function: an odd polynomial below 1, 1 − exp(−polynomial) above. */
LFM_INLINE V erf(V x) {
  const V a = abs(x);
  const V square = a * a;
  V p = fma(set1(7.85385419e-5f), square, set1(-0.000801019138f));
  p = fma(p, square, set1(0.00518832728f));
  p = fma(p, square, set1(-0.026853811f));
  p = fma(p, square, set1(0.112835854f));
  p = fma(p, square, set1(-0.37612626f));
  p = fma(p, square, set1(0.128379166f));
  const V inner = fma(p, a, a);
  const V b = min(set1(4.0f), a);
  V q = fma(set1(-0.000185573983f), b, set1(0.00293960702f));
  q = fma(q, b, set1(-0.0218053181f));
  q = fma(q, b, set1(0.103037365f));
  q = fma(q, b, set1(0.638225675f));
  q = fma(q, b, set1(1.12704003f));
  q = fma(q, b, set1(0.000353719748f));
  const V outer = set1(0.0f) - expm1_of_negative(set1(0.0f) - q);
  return copysign(select(less(a, set1(1.0f)), inner, outer), x);
}

}  // namespace LFM_TARGET
}  // namespace lfm
