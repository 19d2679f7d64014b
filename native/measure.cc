/** The multiply-add peak, and single functions for their tests. See measure.h. */

#include "measure.h"

#include "simd/philox.h"

namespace lfm {
namespace LFM_TARGET {

double multiply_adds(int64_t rounds) {
  // enough independent sums to hide the latency of a multiply-add on two ports
  constexpr int SUMS = 12;
  V sum[SUMS];
#pragma GCC unroll 16
  for (int i = 0; i < SUMS; i++) sum[i] = set1(static_cast<float>(i));
  const V a = set1(0.999f), b = set1(0.001f);
  for (int64_t round = 0; round < rounds; round++) {
#pragma GCC unroll 16
    for (int i = 0; i < SUMS; i++) sum[i] = fma(sum[i], a, b);
    // keeps the compiler from folding the loop
#pragma GCC unroll 16
    for (int i = 0; i < SUMS; i++) {
#if defined(__aarch64__)
      asm volatile("" : "+w"(sum[i]));
#else
      asm volatile("" : "+v"(sum[i]));
#endif
    }
  }
  return 2.0 * W * SUMS * static_cast<double>(rounds);
}

namespace {
template <class Function>
void map(const float* x, float* y, int64_t count, Function function) {
  for (int64_t i = 0; i < count; i += W) {
    const int lanes = static_cast<int>(least<int64_t>(W, count - i));
    store_first(y + i, function(load_first(x + i, lanes)), lanes);
  }
}
}  // namespace

bool evaluate(const char* name, const float* x, float* y, int64_t count) {
#define LFM_FUNCTION(NAME, EXPRESSION)                                  \
  if (strcmp(name, NAME) == 0) {                                        \
    map(x, y, count, [](V v) __attribute__((always_inline)) { return EXPRESSION; }); \
    return true;                                                        \
  }
  LFM_FUNCTION("exp", exp(v))
  LFM_FUNCTION("expOfNegative", exp_of_negative(v))
  LFM_FUNCTION("expm1OfNegative", expm1_of_negative(v))
  LFM_FUNCTION("log", log(v))
  LFM_FUNCTION("log1pOfFraction", log1p_of_fraction(v))
  LFM_FUNCTION("tanh", tanh(v))
  LFM_FUNCTION("sigmoid", sigmoid(v))
  LFM_FUNCTION("softplus", softplus(v))
  LFM_FUNCTION("erf", erf(v))
  LFM_FUNCTION("sin", ({ V s, c; sin_cos(v, s, c); s; }))
  LFM_FUNCTION("cos", ({ V s, c; sin_cos(v, s, c); c; }))
#undef LFM_FUNCTION
  return false;
}

void philox_words(const uint32_t* counter, const uint32_t* key, uint32_t* words) {
  const Words drawn = philox(set1_uint(counter[0]), set1_uint(counter[1]), set1_uint(counter[2]),
                             set1_uint(counter[3]), key[0], key[1]);
  for (int i = 0; i < 4; i++) words[i] = drawn.word[i][W - 1];
}

}  // namespace LFM_TARGET
}  // namespace lfm
