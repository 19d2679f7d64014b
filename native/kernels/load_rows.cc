/** Rows of the pool as floats; contract and reference in src/kernels/load_rows.ts. */

#include "kernels/pool.h"
#include "simd/philox.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { POOL, FIRST, Y };
enum { SEED_LOW, SEED_HIGH, STREAM, VALUES, MIRROR };

void run(const Call& call, Workers& workers) {
  const int64_t B = call[Y].shape[0], D = call[Y].shape[1];
  const Seed seed{call.word(SEED_LOW), call.word(SEED_HIGH), call.word(STREAM)};
  const Pool pool{call[POOL], call.choice(VALUES) == PIXELS, call.word(MIRROR)};
  const uint32_t first_row = call[FIRST].words()[0];
  parallel_ranges(workers, B, D < 4096 ? 4096 / D : 1, [&](int64_t first, int64_t last) {
    for (int64_t b = first; b < last; b++) {
      uint32_t words[4] = {};
      if (pool.mirror > 0) draw_one(seed, PURPOSE_MIRROR, first_row + static_cast<uint32_t>(b), 0, 1, words);
      float* const y = call[Y].floats() + b * D;
      const float* const values = pool.values(static_cast<uint32_t>(b), 0, D, words[0] & 1, y);
      if (values != y) memcpy(y, values, static_cast<size_t>(D) * sizeof(float));
    }
  });
}

}  // namespace

extern const Kernel load_rows = {
    "load_rows",
    {"pool", "first", "y"},
    {{"seedLow", nullptr}, {"seedHigh", nullptr}, {"stream", nullptr}, {"values", pool_values}, {"mirror", nullptr}},
    run,
    nullptr};

}  // namespace LFM_TARGET
}  // namespace lfm
