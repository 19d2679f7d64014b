/** y = op(a) op(b); contract and reference in src/kernels/mat_mul.ts. */

#include "kernels/epilogue.h"
#include "reduction.h"
#include "row_product.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { A, B, Y };
enum { TRANSPOSE_A, TRANSPOSE_B };

struct Sizes {
  int64_t M, N, K;
  bool transpose_a, transpose_b;

  explicit Sizes(const Call& call)
      : M(call[Y].shape[0]), N(call[Y].shape[1]), transpose_a(call.choice(TRANSPOSE_A)), transpose_b(call.choice(TRANSPOSE_B)) {
    K = call[A].shape[transpose_a ? 0 : 1];
  }
  /** Whether to cut the inner extent: it is long, runs along the rows of both operands, and the result has few rows. */
  bool reduces() const { return transpose_a && !transpose_b && K >= 4 * most(M, N); }
};

Reduction reduction(const Call& call, const Sizes& is, int workers) {
  Reduction sums{View::row_major(call[A].floats(), is.M), View::row_major(call[B].floats(), is.N), is.K, is.M, is.N};
  sums.plan(workers);
  sums.memory = call.scratch;
  return sums;
}

int64_t scratch(const Call& call, int workers) {
  const Sizes is(call);
  if (is.reduces()) return reduction(call, is, workers).scratch(workers);
  return Packed::floats(is.K, is.N) + RowProduct::scratch(is.K, is.N, workers);
}

void run(const Call& call, Workers& workers) {
  const Sizes is(call);
  if (is.reduces()) {
    Reduction sums = reduction(call, is, workers.count);
    sums.run(workers);
    return sums.finish(workers, call[Y].floats(), false);
  }
  const float *const a = call[A].floats(), *const b = call[B].floats();
  const View right = is.transpose_b ? View::transposed(b, is.K) : View::row_major(b, is.N);
  const Packed packed = pack(workers, right, is.K, is.N, call.scratch);
  const View left = is.transpose_a ? View::transposed(a, is.M) : View::row_major(a, is.K);
  const RowProduct product{left, is.M, packed, call.scratch + Packed::floats(is.K, is.N)};
  product.run(workers, [&](int64_t first) {
    return DerivativeEpilogue{nullptr, 1, first, call[Y].floats(), is.N, 0, 1.0f, 1.0f};
  });
}

}  // namespace

extern const Kernel mat_mul = {
    "mat_mul", {"a", "b", "y"}, {{"transposeA", nullptr}, {"transposeB", nullptr}}, run, scratch};

}  // namespace LFM_TARGET
}  // namespace lfm
