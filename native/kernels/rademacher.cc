/** Probes of ±1; contract and reference in src/kernels/rademacher.ts. */

#include "kernel.h"
#include "simd/philox.h"
#include "simd/simd.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { FIRST, Y };
enum { SEED_LOW, SEED_HIGH, STREAM, PROBES };

void run(const Call& call, Workers& workers) {
  const int64_t R = call[Y].shape[0], D = call[Y].shape[1], B = R / call.word(PROBES);
  const Seed seed{call.word(SEED_LOW), call.word(SEED_HIGH), call.word(STREAM)};
  const uint32_t first_row = call[FIRST].words()[0];
  parallel_ranges(workers, R, W * most<int64_t>(1, 4096 / D), [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; r += W) {
      const int64_t lanes = least<int64_t>(W, last - r);
      U rows, probes;
      for (int lane = 0; lane < W; lane++) {
        rows[lane] = first_row + static_cast<uint32_t>((r + lane) % B);
        probes[lane] = static_cast<uint32_t>((r + lane) / B);
      }
      for (int64_t d = 0; d < D; d += 128) {
        const Words words = draw(seed, PURPOSE_PROBE, rows, probes, static_cast<uint32_t>(d >> 7));
        for (int64_t j = d; j < least<int64_t>(d + 128, D); j++) {
          const U word = words.word[(j >> 5) & 3];
          for (int64_t lane = 0; lane < lanes; lane++) {
            call[Y].floats()[(r + lane) * D + j] = (word[lane] >> (j & 31)) & 1 ? 1.0f : -1.0f;
          }
        }
      }
    }
  });
}

}  // namespace

extern const Kernel rademacher = {"rademacher",
                           {"first", "y"},
                           {{"seedLow", nullptr}, {"seedHigh", nullptr}, {"stream", nullptr}, {"probes", nullptr}},
                           run,
                           nullptr};

}  // namespace LFM_TARGET
}  // namespace lfm
