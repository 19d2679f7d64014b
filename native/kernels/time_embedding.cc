/** Sinusoidal embedding of times; contract and reference in src/kernels/time_embedding.ts. */

#include "simd/lanes.h"
#include "simd/math.h"
#include "strip.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { TIME, Y };

/** Frequencies f_k = 10000^(−k/h), one after another. */
int64_t scratch(const Call& call, int) { return round_up(call[Y].shape[1], 16); }

void run(const Call& call, Workers&) {
  const int64_t B = call[Y].shape[0], E = call[Y].shape[1], h = E / 2;
  float* const frequencies = call.scratch;
  for (int64_t k = 0; k < h; k += W) {
    float exponents[W];
    for (int i = 0; i < W; i++) {
      // ln 10000; the product in double, since the exponent's error is the frequency's relative one
      exponents[i] = static_cast<float>(-9.210340371976184 * static_cast<double>(k + i) / static_cast<double>(h));
    }
    store_lanes(frequencies + k, exp(load(exponents)), static_cast<int>(least<int64_t>(W, h - k)));
  }
  for (int64_t b = 0; b < B; b++) {
    const V t = set1(call[TIME].floats()[b]);
    float* const y = call[Y].floats() + b * E;
    for (int64_t k = 0; k < h; k += W) {
      const int lanes = static_cast<int>(least<int64_t>(W, h - k));
      V sine, cosine;
      sin_cos(t * load_lanes(frequencies + k, lanes), sine, cosine);
      store_lanes(y + k, cosine, lanes);
      store_lanes(y + h + k, sine, lanes);
    }
    if (E % 2 == 1) y[E - 1] = 0;
  }
}

}  // namespace

extern const Kernel time_embedding = {"time_embedding", {"t", "y"}, {}, run, scratch};

}  // namespace LFM_TARGET
}  // namespace lfm
