/** row_loss and delta of a predicted end point of mixed columns; contract and reference in src/kernels/segment_loss.ts. */

#include "segments.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { X, GOAL, RATES, ENCODING, STARTS, GATES, DELTA, ROW_LOSS };

void run(const Call& call, Workers& workers) {
  const int64_t B = call[X].shape[0], D = call[X].shape[1], S = call[GATES].shape[0];
  const float *const scale = call[ENCODING].floats(), *const centre = scale + D;
  const float *const gates = call[GATES].floats(), *const starts = call[STARTS].floats();
  const float share = static_cast<float>(1.0 / (static_cast<double>(B) * static_cast<double>(S)));
  parallel_ranges(workers, B, most<int64_t>(1, 2048 / D), [&](int64_t from, int64_t to) {
    for (int64_t b = from; b < to; b++) {
      const float *const x = call[X].floats() + b * D, *const target = call[GOAL].floats() + b * D;
      float* const delta = call[DELTA].floats() + b * D;
      const float* const numbers = call[RATES].given() ? call[RATES].floats() + b * D : target;
      float sum = 0;
      for (int64_t s = 0; s < S; s++) {
        const Segment is = segment_of(starts, s, D);
        const int64_t gate = column_of(gates[s], D);
        const float weight = gate < D ? target[gate] / scale[gate] + centre[gate] : 1.0f;
        if (is.length == 1) {
          const float residual = x[is.first] - numbers[is.first];
          sum += 0.5f * weight * residual * residual;
          delta[is.first] = share * weight * residual;
          continue;
        }
        const Whole whole = whole_of(x + is.first, is.length);
        const V log_sum = set1(whole.top) + log(set1(whole.sum)), inverse = set1(1.0f / whole.sum);
        const int64_t end = is.first + is.length;
        const auto probability = [&](int64_t d, int lanes) __attribute__((always_inline)) {
          // beyond the end a scale of 1: 0/1 + 0
          V by = load_lanes(scale + d, lanes);
          if (lanes < W) {
            float values[W];
            store(values, set1(1.0f));
            memcpy(values, scale + d, static_cast<size_t>(lanes) * sizeof(float));
            by = load(values);
          }
          return load_lanes(target + d, lanes) / by + load_lanes(centre + d, lanes);
        };
        V mass = zero();
        for (int64_t d = is.first; d < end; d += W) {
          mass = mass + probability(d, static_cast<int>(least<int64_t>(W, end - d)));
        }
        const V all = set1(horizontal_sum(mass)), factor = set1(share * weight);
        V loss = zero();
        for (int64_t d = is.first; d < end; d += W) {
          const int lanes = static_cast<int>(least<int64_t>(W, end - d));
          const V logit = load_lanes(x + d, lanes), p = probability(d, lanes);
          loss = fma(p, log_sum - logit, loss);
          const V softmax = exp_of_negative(logit - set1(whole.top)) * inverse;
          store_lanes(delta + d, factor * (all * softmax - p), lanes);
        }
        sum += weight * horizontal_sum(loss);
      }
      call[ROW_LOSS].floats()[b] = sum / static_cast<float>(S);
    }
  });
}

}  // namespace

extern const Kernel segment_loss = {
    "segment_loss", {"x", "target", "rates", "encoding", "starts", "gates", "delta", "row_loss"}, {}, run, nullptr};

}  // namespace LFM_TARGET
}  // namespace lfm
