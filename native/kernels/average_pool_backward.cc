/** dx = factor · dy of its 2 × 2 pixels + add; contract and reference in src/kernels/average_pool_backward.ts. */

#include "kernel.h"
#include "patches.h"
#include "simd/lanes.h"
#include "simd/simd.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { DY, ADD, DX };
enum { DY_FIRST, ADD_FIRST, FACTOR };

void run(const Call& call, Workers& workers) {
  const Pictures dy = Pictures::of(call[DY], NHWC, call.choice(DY_FIRST)), dx = Pictures::of(call[DX], NHWC);
  const Pictures add = call[ADD].given() ? Pictures::of(call[ADD], NHWC, call.choice(ADD_FIRST)) : Pictures{};
  const V factor = set1(call.number(FACTOR));
  parallel(workers, dx.B * dx.H, [&](int64_t row, int) {
    // a row of dy has two rows of dx, in one picture: its height is even
    const float* const from = dy.data + row / 2 * dy.W * dy.pixel;
    for (int64_t x = 0; x < dx.W; x++) {
      const int64_t pixel = row * dx.W + x;
      for_vectors(static_cast<int>(dx.pixel), [&](int c, int lanes) {
        V value = factor * load_lanes(from + x / 2 * dy.pixel + c, lanes);
        if (add.data) value = value + load_lanes(add.data + pixel * add.pixel + c, lanes);
        store_lanes(dx.data + pixel * dx.pixel + c, value, lanes);
      });
    }
  });
}

}  // namespace

extern const Kernel average_pool_backward = {"average_pool_backward",
                                      {"dy", "add", "dx"},
                                      {{"dyFirst", nullptr}, {"addFirst", nullptr}, {"factor", nullptr}},
                                      run,
                                      nullptr};

}  // namespace LFM_TARGET
}  // namespace lfm
