/** dx = (dy W) ⊙ act'(saved); contract and reference in src/kernels/linear_backward_input.ts. */

#include "kernels/epilogue.h"
#include "row_product.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { DY, WEIGHT, SAVED, DX };
enum { ACTIVATION, BETA };

int64_t scratch(const Call& call, int workers) {
  const int64_t N = call[DY].shape[1], K = call[DX].shape[1];
  return Packed::floats(N, K) + RowProduct::scratch(N, K, workers);
}

void run(const Call& call, Workers& workers) {
  const int64_t B = call[DY].shape[0], N = call[DY].shape[1], K = call[DX].shape[1];
  const Packed weight = pack(workers, View::row_major(call[WEIGHT].floats(), K), N, K, call.scratch);
  const RowProduct product{View::row_major(call[DY].floats(), N), B, weight, call.scratch + Packed::floats(N, K)};
  product.run(workers, [&](int64_t first) {
    return DerivativeEpilogue{call[SAVED].floats(), B, first, call[DX].floats(), K, call.choice(ACTIVATION),
                              call.number(BETA),    1.0f};
  });
}

}  // namespace

extern const Kernel linear_backward_input = {"linear_backward_input",
                                      {"dy", "weight", "saved", "dx"},
                                      {{"activation", activation_names}, {"beta", nullptr}},
                                      run,
                                      scratch};

}  // namespace LFM_TARGET
}  // namespace lfm
