/**
 * dy = scale·(dx Wᵀ + dt·time_weight) ⊙ act'(saved) for T tangents of every row; contract and reference in
 * src/kernels/linear_tangent.ts.
 */

#include "kernels/epilogue.h"
#include "row_product.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { DX, WEIGHT, SAVED, DT, TIME_WEIGHT, DY };
enum { ACTIVATION, BETA, SCALE };

int64_t scratch(const Call& call, int workers) {
  const int64_t K = call[DX].shape[1], N = call[WEIGHT].shape[0];
  return Packed::floats(K, N) + RowProduct::scratch(K, N, workers);
}

void run(const Call& call, Workers& workers) {
  const int64_t R = call[DX].shape[0], K = call[DX].shape[1], N = call[WEIGHT].shape[0];
  const Packed weight = pack(workers, View::transposed(call[WEIGHT].floats(), K), K, N, call.scratch);
  const RowProduct product{View::row_major(call[DX].floats(), K), R, weight, call.scratch + Packed::floats(K, N)};
  product.run(workers, [&](int64_t first) {
    return DerivativeEpilogue{call[SAVED].floats(),   call[SAVED].shape[0], first, call[DY].floats(), N,
                              call.choice(ACTIVATION), call.number(BETA),    call.number(SCALE),   call[DT].floats(),
                              call[DT].shape[0] == 1 ? 0 : 1, call[TIME_WEIGHT].floats()};
  });
}

}  // namespace

extern const Kernel linear_tangent = {"linear_tangent",
                               {"dx", "weight", "saved", "dt", "time_weight", "dy"},
                               {{"activation", activation_names}, {"beta", nullptr}, {"scale", nullptr}},
                               run,
                               scratch};

}  // namespace LFM_TARGET
}  // namespace lfm
