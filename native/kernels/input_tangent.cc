/** Derivative of input_features along tangents; contract and reference in src/kernels/input_tangent.ts. */

#include "kernel.h"
#include "simd/math.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { X, FREQUENCIES, PROBES, DCONDITION, DY };

void run(const Call& call, Workers& workers) {
  const int64_t B = call[X].shape[0], D = call[X].shape[1], R = call[DY].shape[0], K = call[DY].shape[1];
  const int64_t F = call[FREQUENCIES].given() ? call[FREQUENCIES].shape[0] : 0;
  const int64_t features = K - 2 * F * D;
  const float *const x = call[X].floats(), *const probes = call[PROBES].floats();
  const float* const dcondition = call[DCONDITION].floats();
  parallel_ranges(workers, R, most<int64_t>(1, 8192 / K), [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; r++) {
      float* const dy = call[DY].floats() + r * K;
      for (int64_t d = 0; d < D; d++) dy[d] = probes ? probes[r * D + d] : (r / B == d ? 1.0f : 0.0f);
      for (int64_t c = D; c < features; c++) dy[c] = dcondition ? dcondition[r * (features - D) + c - D] : 0;
    }
    for (int64_t i = first * D; F > 0 && i < last * D; i += W) {
      const int lanes = static_cast<int>(least<int64_t>(W, last * D - i));
      float values[W] = {};
      for (int lane = 0; lane < lanes; lane++) values[lane] = x[(i + lane) / D % B * D + (i + lane) % D];
      const V value = load(values);
      for (int64_t f = 0; f < F; f++) {
        const float frequency = call[FREQUENCIES].floats()[f];
        V sine, cosine;
        sin_cos(set1(frequency) * value, sine, cosine);
        float sines[W], cosines[W];
        store(sines, sine * set1(-frequency));
        store(cosines, cosine * set1(frequency));
        for (int lane = 0; lane < lanes; lane++) {
          const int64_t r = (i + lane) / D, d = (i + lane) % D;
          float* const row = call[DY].floats() + r * K;
          row[features + 2 * f * D + d] = cosines[lane] * row[d];
          row[features + (2 * f + 1) * D + d] = sines[lane] * row[d];
        }
      }
    }
  });
}

}  // namespace

extern const Kernel input_tangent = {"input_tangent", {"x", "frequencies", "probes", "dcondition", "dy"}, {}, run, nullptr};

}  // namespace LFM_TARGET
}  // namespace lfm
