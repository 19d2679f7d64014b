/** y = scale·act(x Wᵀ + bias + t·time_weight); contract and reference in src/kernels/linear_forward.ts. */

#include "kernels/epilogue.h"
#include "row_product.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { X, WEIGHT, BIAS, TIME, TIME_WEIGHT, Y, Z };
enum { ACTIVATION, BETA, SCALE };

int64_t scratch(const Call& call, int workers) {
  const int64_t K = call[X].shape[1], N = call[WEIGHT].shape[0];
  return Packed::floats(K, N) + RowProduct::scratch(K, N, workers);
}

Preparation prepared(const Call& call) {
  const int64_t K = call[X].shape[1], N = call[WEIGHT].shape[0];
  return {WEIGHT, call[X].shape[0] <= KEPT_ROWS ? Packed::floats(K, N) : 0, N};
}

void run(const Call& call, Workers& workers) {
  const int64_t B = call[X].shape[0], K = call[X].shape[1], N = call[WEIGHT].shape[0];
  const View turned = View::transposed(call[WEIGHT].floats(), K);
  const Packed weight = packed_for(call, call.scratch, K, N, [&](float* to) { pack(workers, turned, K, N, to); });
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
  const RowProduct product{View::row_major(call[X].floats(), K), B, weight, call.scratch + Packed::floats(K, N)};
  product.run(workers, [&](int64_t first) {
    ForwardEpilogue part = whole;
    if (part.time) part.time += first * part.time_stride;
    part.y += first * N;
    if (part.z) part.z += first * N;
    return part;
  });
}

}  // namespace

extern const Kernel linear_forward = {"linear_forward",
                               {"x", "weight", "bias", "t", "time_weight", "y", "z"},
                               {{"activation", activation_names}, {"beta", nullptr}, {"scale", nullptr}},
                               run,
                               scratch,
                               prepared};

}  // namespace LFM_TARGET
}  // namespace lfm
