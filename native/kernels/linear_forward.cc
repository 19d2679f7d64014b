/** y = scale·act(x Wᵀ + bias + t·time_weight); contract and reference in src/kernels/linear_forward.ts. */

#include "kernels/epilogue.h"
#include "kernels/kernels.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { X, WEIGHT, BIAS, TIME, TIME_WEIGHT, Y, Z };
enum { ACTIVATION, BETA, SCALE };

int64_t scratch(const Call& call, int) { return Packed::floats(call[X].shape[1], call[WEIGHT].shape[0]); }

void run(const Call& call, Workers& workers) {
  const int64_t B = call[X].shape[0], K = call[X].shape[1], N = call[WEIGHT].shape[0];
  const Packed weight = pack(workers, call[WEIGHT].floats(), 1, K, K, N, call.scratch);
  const ForwardEpilogue whole{call[BIAS].floats(),
                              call[TIME].floats(),
                              call[TIME].shape[0] == 1 ? 0 : 1,
                              call[TIME_WEIGHT].floats(),
                              call[Y].floats(),
                              call[Z].floats(),
                              N,
                              call.choice(ACTIVATION),
                              call.number(BETA),
                              call.number(SCALE)};
  parallel_rows(workers, B, [&](int64_t first, int64_t rows) {
    ForwardEpilogue part = whole;
    if (part.time) part.time += first * part.time_stride;
    part.y += first * N;
    if (part.z) part.z += first * N;
    product_rows(call[X].floats() + first * K, K, rows, weight, part);
  });
}

}  // namespace

const Kernel linear_forward = {"linear_forward",
                               {"x", "weight", "bias", "t", "time_weight", "y", "z"},
                               {{"activation", activation_names}, {"beta", nullptr}, {"scale", nullptr}},
                               run,
                               scratch};

}  // namespace LFM_TARGET
}  // namespace lfm
