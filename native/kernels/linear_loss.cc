/** The last layer with the flow-matching loss; contract and reference in src/kernels/linear_loss.ts. */

#include "kernels/epilogue.h"
#include "row_product.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { X, WEIGHT, BIAS, TIME, TIME_WEIGHT, TARGET_OUT, DELTA, ROW_LOSS };
enum { SCALE };

int64_t scratch(const Call& call, int workers) {
  const int64_t K = call[X].shape[1], D = call[WEIGHT].shape[0];
  return Packed::floats(K, D) + RowProduct::scratch(K, D, workers);
}

void run(const Call& call, Workers& workers) {
  const int64_t B = call[X].shape[0], K = call[X].shape[1], D = call[WEIGHT].shape[0];
  const float scale = call.number(SCALE);
  const Packed weight = pack(workers, View::transposed(call[WEIGHT].floats(), K), K, D, call.scratch);
  const double doubled = 2.0 / (static_cast<double>(B) * static_cast<double>(D) * scale);
  const V slope = set1(static_cast<float>(doubled));
  const float mean = static_cast<float>(1.0 / (static_cast<double>(D) * scale * scale));
  const RowProduct product{View::row_major(call[X].floats(), K), B, weight, call.scratch + Packed::floats(K, D)};
  const auto epilogue_of = [&](int64_t first) {
    const int64_t time_stride = call[TIME].shape[0] == 1 ? 0 : 1;
    const float* const time = call[TIME].given() ? call[TIME].floats() + first * time_stride : nullptr;
    float* const delta = call[DELTA].floats() + first * D;
    return ForwardEpilogue{
        call[BIAS].floats(), time, time_stride, call[TIME_WEIGHT].floats(), delta, nullptr, D, 0, 1.0f, scale};
  };
  // v is first written to delta's rows, which are in the cache when the pass over them begins
  product.run(workers, epilogue_of, [&](int64_t first, int64_t rows) {
    float* const delta = call[DELTA].floats() + first * D;
    const float* const target = call[TARGET_OUT].floats() + first * D;
    for (int64_t row = 0; row < rows; row++) {
      V squares = zero();
      for (int64_t d = 0; d < D; d += W) {
        const int lanes = static_cast<int>(least<int64_t>(W, D - d));
        const V residual = load_lanes(delta + row * D + d, lanes) - load_lanes(target + row * D + d, lanes);
        squares = fma(residual, residual, squares);
        store_lanes(delta + row * D + d, residual * slope, lanes);
      }
      call[ROW_LOSS].floats()[first + row] = horizontal_sum(squares) * mean;
    }
  });
}

}  // namespace

extern const Kernel linear_loss = {"linear_loss",
                            {"x", "weight", "bias", "t", "time_weight", "target", "delta", "row_loss"},
                            {{"scale", nullptr}},
                            run,
                            scratch};

}  // namespace LFM_TARGET
}  // namespace lfm
