/** Standard normals for rows of an endless matrix; contract and reference in src/kernels/normal.ts. */

#include "kernel.h"
#include "simd/philox.h"
#include "simd/simd.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { FIRST, Y };
enum { SEED_LOW, SEED_HIGH, STREAM };

void run(const Call& call, Workers& workers) {
  const int64_t B = call[Y].shape[0], D = call[Y].shape[1];
  const Seed seed{call.word(SEED_LOW), call.word(SEED_HIGH), call.word(STREAM)};
  const uint32_t first_row = call[FIRST].words()[0];
  // one task draws for W rows at a time, four columns a draw
  const int64_t grain = W * most<int64_t>(1, 1024 / D);
  parallel_ranges(workers, B, grain, [&](int64_t first, int64_t last) {
    for (int64_t b = first; b < last; b += W) {
      const int64_t lanes = least<int64_t>(W, last - b);
      const U rows = lane_numbers(first_row + static_cast<uint32_t>(b));
      for (int64_t d = 0; d < D; d += 4) {
        const Words words = draw(seed, PURPOSE_LATENT, rows, set1_uint(0), static_cast<uint32_t>(d >> 2));
        V drawn[4];
        normal_pair(words.word[0], words.word[1], drawn[0], drawn[1]);
        normal_pair(words.word[2], words.word[3], drawn[2], drawn[3]);
        for (int64_t j = 0; j < least<int64_t>(4, D - d); j++) {
          float values[W];
          store(values, drawn[j]);
          for (int64_t lane = 0; lane < lanes; lane++) call[Y].floats()[(b + lane) * D + d + j] = values[lane];
        }
      }
    }
  });
}

}  // namespace

extern const Kernel normal = {"normal",
                       {"first", "y"},
                       {{"seedLow", nullptr}, {"seedHigh", nullptr}, {"stream", nullptr}},
                       run,
                       nullptr};

}  // namespace LFM_TARGET
}  // namespace lfm
