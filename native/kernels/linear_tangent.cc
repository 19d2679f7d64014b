/**
 * dy = scale·(dx Wᵀ) ⊙ act'(saved) for T tangents of every row; contract and reference in
 * src/kernels/linear_tangent.ts.
 */

#include "kernels/epilogue.h"
#include "kernels/kernels.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { DX, WEIGHT, SAVED, DY };
enum { ACTIVATION, BETA, SCALE };

int64_t scratch(const Call& call, int) { return Packed::floats(call[DX].shape[1], call[WEIGHT].shape[0]); }

void run(const Call& call, Workers& workers) {
  const int64_t R = call[DX].shape[0], K = call[DX].shape[1], N = call[WEIGHT].shape[0];
  const Packed weight = pack(workers, call[WEIGHT].floats(), 1, K, K, N, call.scratch);
  parallel_rows(workers, R, [&](int64_t first, int64_t rows) {
    const DerivativeEpilogue epilogue{call[SAVED].floats(),   call[SAVED].shape[0], first, call[DY].floats(), N,
                                      call.choice(ACTIVATION), call.number(BETA),    call.number(SCALE)};
    product_rows(call[DX].floats() + first * K, K, rows, weight, epilogue);
  });
}

}  // namespace

const Kernel linear_tangent = {"linear_tangent",
                               {"dx", "weight", "saved", "dy"},
                               {{"activation", activation_names}, {"beta", nullptr}, {"scale", nullptr}},
                               run,
                               scratch};

}  // namespace LFM_TARGET
}  // namespace lfm
