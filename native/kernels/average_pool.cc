/** factor · the sum of each 2 × 2 pixels; contract and reference in src/kernels/average_pool.ts. */

#include "kernel.h"
#include "patches.h"
#include "simd/lanes.h"
#include "simd/simd.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { X, Y };
enum { X_FIRST, FACTOR };

void run(const Call& call, Workers& workers) {
  const Pictures x = Pictures::of(call[X], NHWC, call.choice(X_FIRST)), y = Pictures::of(call[Y], NHWC);
  const V factor = set1(call.number(FACTOR));
  const int64_t line = x.W * x.pixel;
  parallel(workers, y.B * y.H, [&](int64_t row, int) {
    const float* from = x.data + row * 2 * line;
    float* to = y.data + row * y.W * y.pixel;
    for (int64_t j = 0; j < y.W; j++, from += 2 * x.pixel, to += y.pixel) {
      for_vectors(static_cast<int>(y.pixel), [&](int c, int lanes) {
        const V upper = load_lanes(from + c, lanes) + load_lanes(from + x.pixel + c, lanes);
        const V lower = load_lanes(from + line + c, lanes) + load_lanes(from + line + x.pixel + c, lanes);
        store_lanes(to + c, factor * (upper + lower), lanes);
      });
    }
  });
}

}  // namespace

extern const Kernel average_pool = {
    "average_pool", {"x", "y"}, {{"xFirst", nullptr}, {"factor", nullptr}}, run, nullptr};

}  // namespace LFM_TARGET
}  // namespace lfm
