/**
 * dweight = dyᵀ x, dbias = Σ dy, dtime_weight = Σ t·dy; contract and reference in
 * src/kernels/linear_backward_weight.ts. A layer with few inputs (the first one) is computed transposed, xᵀ dy, so that
 * vectors run along its many outputs.
 */

#include "reduction.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { X, DY, TIME, DWEIGHT, DBIAS, DTIME_WEIGHT };

Reduction reduction(const Call& call, int workers) {
  const int64_t B = call[X].shape[0], K = call[X].shape[1], N = call[DY].shape[1];
  const View x = View::row_major(call[X].floats(), K), dy = View::row_major(call[DY].floats(), N);
  const bool transposed = K < W && K < N;
  Reduction sums{transposed ? x : dy,     transposed ? dy : x, B, transposed ? K : N, transposed ? N : K,
                 call[TIME].floats(), transposed ? Reduction::OF_B : Reduction::OF_A};
  sums.plan(workers);
  sums.memory = call.scratch;
  return sums;
}

int64_t scratch(const Call& call, int workers) { return reduction(call, workers).scratch(workers); }

void run(const Call& call, Workers& workers) {
  Reduction sums = reduction(call, workers.count);
  sums.run(workers);
  sums.finish(workers, call[DWEIGHT].floats(), sums.columns == Reduction::OF_B, call[DBIAS].floats(),
              call[TIME].given() ? call[DTIME_WEIGHT].floats() : nullptr);
}

}  // namespace

extern const Kernel linear_backward_weight = {
    "linear_backward_weight", {"x", "dy", "t", "dweight", "dbias", "dtime_weight"}, {}, run, scratch};

}  // namespace LFM_TARGET
}  // namespace lfm
