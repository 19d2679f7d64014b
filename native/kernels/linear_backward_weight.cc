/**
 * dweight = dyᵀ x, dbias = Σ dy, dtime_weight = Σ t·dy; contract and reference in
 * src/kernels/linear_backward_weight.ts.
 *
 * The batch is cut into slices, whose number depends on the shapes only; each slice has its own partial sums, and these
 * are added in order, so that the result does not depend on the number of threads. Within a slice the columns of the
 * right operand may be shared out as well (groups), which changes no sum. A layer with few inputs (the first one) is
 * computed transposed, xᵀ dy, so that vectors run along its many outputs.
 */

#include "kernels/epilogue.h"
#include "kernels/kernels.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { X, DY, TIME, DWEIGHT, DBIAS, DTIME_WEIGHT };

struct Plan {
  int64_t B, K, N;
  bool transposed;
  int64_t rows, columns, padded;  // of the partial result: [rows, columns], columns padded to whole vectors
  int64_t slices, groups;
  int64_t padded_outputs;
  int64_t partial, space;  // floats of one slice's partial sums, and of one worker's packing space

  Plan(const Call& call, int workers) {
    B = call[X].shape[0];
    K = call[X].shape[1];
    N = call[DY].shape[1];
    transposed = K < W && K < N;
    rows = transposed ? K : N;
    columns = transposed ? N : K;
    padded = round_up(columns, W);
    slices = 1;
    while (slices < 16 && B >= 2048 * slices) slices *= 2;
    groups = 1;
    const int64_t panels = divide_up(columns, PANEL);
    while (groups < panels && slices * groups % workers != 0 && slices * groups < 4 * workers) groups++;
    padded_outputs = round_up(N, 16);
    partial = round_up(rows * padded, 16) + 2 * padded_outputs;
    space = reduction_space(rows, columns);
  }
};

/** sums[n] += Σ_b dy[b, n], and the same weighted with t, in order of b. */
void add_columns(const float* dy, const float* t, int64_t rows, int64_t N, float* sums, float* time_sums) {
  for (int64_t n = 0; n < N; n += W) {
    const int lanes = static_cast<int>(least<int64_t>(W, N - n));
    V sum = zero(), time_sum = zero();
    for (int64_t b = 0; b < rows; b++) {
      const V value = load_lanes(dy + b * N + n, lanes);
      sum = sum + value;
      if (t) time_sum = fma(set1(t[b]), value, time_sum);
    }
    store_lanes(sums + n, load_lanes(sums + n, lanes) + sum, lanes);
    store_lanes(time_sums + n, load_lanes(time_sums + n, lanes) + time_sum, lanes);
  }
}

int64_t scratch(const Call& call, int workers) {
  const Plan plan(call, workers);
  return plan.slices * plan.partial + workers * plan.space;
}

void run(const Call& call, Workers& workers) {
  const Plan plan(call, workers.count);
  const int64_t K = plan.K, N = plan.N;
  const float* t = call[TIME].floats();
  float* const spaces = call.scratch + plan.slices * plan.partial;
  parallel(workers, plan.slices * plan.groups, [&](int64_t task, int worker) {
    const int64_t slice = task / plan.groups, group = task % plan.groups;
    const int64_t first = slice * plan.B / plan.slices;
    const int64_t end = (slice + 1) * plan.B / plan.slices;
    const int64_t panels = divide_up(plan.columns, PANEL);
    const int64_t column = group * panels / plan.groups * PANEL;
    const int64_t width = least((group + 1) * panels / plan.groups * PANEL, plan.columns) - column;
    float* const partial = call.scratch + slice * plan.partial;
    const float* const x = call[X].floats() + first * K;
    const float* const dy = call[DY].floats() + first * N;
    float* const space = spaces + worker * plan.space;
    if (plan.transposed) {
      reduce_rows(x, K, K, dy + column, N, width, end - first, partial + column, plan.padded, space);
    } else {
      reduce_rows(dy, N, N, x + column, K, width, end - first, partial + column, plan.padded, space);
    }
    if (group > 0) return;
    float* const sums = partial + round_up(plan.rows * plan.padded, 16);
    memset(sums, 0, 2 * plan.padded_outputs * sizeof(float));
    for (int64_t b = first; b < end; b += REDUCTION_DEPTH) {
      add_columns(call[DY].floats() + b * N, t ? t + b : nullptr, least(REDUCTION_DEPTH, end - b), N, sums,
                  sums + plan.padded_outputs);
    }
  });
  parallel_ranges(workers, N, 16, [&](int64_t first, int64_t last) {
    const auto total = [&](int64_t at) {
      float sum = call.scratch[at];
      for (int64_t slice = 1; slice < plan.slices; slice++) sum += call.scratch[slice * plan.partial + at];
      return sum;
    };
    const int64_t sums = round_up(plan.rows * plan.padded, 16);
    for (int64_t n = first; n < last; n++) {
      float* const to = call[DWEIGHT].floats() + n * K;
      if (plan.transposed) {
        for (int64_t k = 0; k < K; k++) to[k] = total(k * plan.padded + n);
      } else {
        for (int64_t k = 0; k < K; k += W) {
          const float* from = call.scratch + n * plan.padded + k;
          V sum = load(from);
          for (int64_t slice = 1; slice < plan.slices; slice++) sum = sum + load(from + slice * plan.partial);
          store_lanes(to + k, sum, static_cast<int>(least<int64_t>(W, K - k)));
        }
      }
      call[DBIAS].floats()[n] = total(sums + n);
      if (t) call[DTIME_WEIGHT].floats()[n] = total(sums + plan.padded_outputs + n);
    }
  });
}

}  // namespace

const Kernel linear_backward_weight = {
    "linear_backward_weight", {"x", "dy", "t", "dweight", "dbias", "dtime_weight"}, {}, run, scratch};

}  // namespace LFM_TARGET
}  // namespace lfm
