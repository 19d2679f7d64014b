/** y = op(a) op(b); contract and reference in src/kernels/mat_mul.ts. */

#include "kernels/epilogue.h"
#include "kernels/kernels.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { A, B, Y };
enum { TRANSPOSE_A, TRANSPOSE_B };

int64_t depth(const Call& call) { return call[A].shape[call.choice(TRANSPOSE_A) ? 0 : 1]; }

int64_t scratch(const Call& call, int) {
  const int64_t M = call[Y].shape[0], N = call[Y].shape[1], K = depth(call);
  return Packed::floats(K, N) + (call.choice(TRANSPOSE_A) ? M * K : 0);
}

void run(const Call& call, Workers& workers) {
  const int64_t M = call[Y].shape[0], N = call[Y].shape[1], K = depth(call);
  const bool transpose_b = call.choice(TRANSPOSE_B) != 0;
  const Packed b = pack(workers, call[B].floats(), transpose_b ? 1 : N, transpose_b ? K : 1, K, N, call.scratch);
  const float* a = call[A].floats();
  if (call.choice(TRANSPOSE_A)) {
    float* const turned = call.scratch + Packed::floats(K, N);
    parallel_ranges(workers, M, 64, [&](int64_t first, int64_t last) {
      for (int64_t k = 0; k < K; k++) {
        for (int64_t m = first; m < last; m++) turned[m * K + k] = a[k * M + m];
      }
    });
    a = turned;
  }
  parallel_rows(workers, M, [&](int64_t first, int64_t rows) {
    const DerivativeEpilogue epilogue{nullptr, 1, first, call[Y].floats(), N, 0, 1.0f, 1.0f};
    product_rows(a + first * K, K, rows, b, epilogue);
  });
}

}  // namespace

const Kernel mat_mul = {
    "mat_mul", {"a", "b", "y"}, {{"transposeA", nullptr}, {"transposeB", nullptr}}, run, scratch};

}  // namespace LFM_TARGET
}  // namespace lfm
