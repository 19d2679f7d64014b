/** dx = (dy W) ⊙ act'(saved); contract and reference in src/kernels/linear_backward_input.ts. */

#include "kernels/epilogue.h"
#include "kernels/kernels.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { DY, WEIGHT, SAVED, DX };
enum { ACTIVATION, BETA };

int64_t scratch(const Call& call, int) { return Packed::floats(call[DY].shape[1], call[DX].shape[1]); }

void run(const Call& call, Workers& workers) {
  const int64_t B = call[DY].shape[0], N = call[DY].shape[1], K = call[DX].shape[1];
  const Packed weight = pack(workers, call[WEIGHT].floats(), K, 1, N, K, call.scratch);
  parallel_rows(workers, B, [&](int64_t first, int64_t rows) {
    const DerivativeEpilogue epilogue{call[SAVED].floats(), B, first, call[DX].floats(), K, call.choice(ACTIVATION),
                                      call.number(BETA), 1.0f};
    product_rows(call[DY].floats() + first * N, N, rows, weight, epilogue);
  });
}

}  // namespace

const Kernel linear_backward_input = {"linear_backward_input",
                                      {"dy", "weight", "saved", "dx"},
                                      {{"activation", activation_names}, {"beta", nullptr}},
                                      run,
                                      scratch};

}  // namespace LFM_TARGET
}  // namespace lfm
