/** Accepts or rejects an adaptive step of every row; contract and reference in src/kernels/adaptive_control.ts. */

#include "kernel.h"
#include "simd/math.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { Y, Y_NEW, STAGES, LOG_DET, LOG_DET_NEW, LOG_DET_STAGES, TIME, STEP, EVALUATIONS };
enum { ERROR, RTOL, ATOL, START, END, COST };

/** The state, with the log-determinant as one column more where it is carried. */
struct Part {
  float* y;
  const float* next;
  float* stages;
  int64_t stride, columns;
};

float magnitude(float x) { return __builtin_fabsf(x); }

void run(const Call& call, Workers& workers) {
  const int64_t B = call[Y].shape[0], D = call[Y].shape[1];
  const bool carries = call[LOG_DET].given();
  const Part parts[2] = {
      {call[Y].floats(), call[Y_NEW].floats(), call[STAGES].floats(), call[STAGES].shape[1], D},
      {call[LOG_DET].floats(), call[LOG_DET_NEW].floats(), call[LOG_DET_STAGES].floats(), call[LOG_DET_STAGES].shape[1],
       1},
  };
  const int part_count = carries ? 2 : 1;
  const Attribute& weights = call.attributes[ERROR];
  const int last = weights.count - 1;
  const float rtol = call.number(RTOL), atol = call.number(ATOL), end = call.number(END);
  // what remains below a millionth of the interval is rounding error of t, not a step to take
  const float smallest = 1e-6f * magnitude(end - call.number(START));

  parallel_ranges(workers, B, most<int64_t>(1, 4096 / D), [&](int64_t first, int64_t stop) {
    for (int64_t b = first; b < stop; b++) {
      float& h = call[STEP].floats()[b];
      float& t = call[TIME].floats()[b];
      if (h == 0) continue;
      call[EVALUATIONS].words()[b] += call.word(COST);
      float squares = 0;
      for (int p = 0; p < part_count; p++) {
        const Part& part = parts[p];
        for (int64_t i = b * part.columns; i < (b + 1) * part.columns; i++) {
          float error = 0;
          for (int s = 0; s <= last; s++) {
            error += static_cast<float>(weights.list[s]) * part.stages[s * part.stride + i];
          }
          const float allowed = atol + rtol * most(magnitude(part.y[i]), magnitude(part.next[i]));
          const float ratio = h * error / allowed;
          squares += ratio * ratio;
        }
      }
      const float error = __builtin_sqrtf(squares / static_cast<float>(D + (carries ? 1 : 0)));
      if (!(error - error == 0)) {
        h = 0;
        continue;
      }
      const float power = exp(set1(-0.2f) * log(set1(most(error, 1e-10f))))[0];
      float growth = least(10.0f, most(0.2f, 0.9f * power));
      if (error <= 1) {
        for (int p = 0; p < part_count; p++) {
          const Part& part = parts[p];
          for (int64_t i = b * part.columns; i < (b + 1) * part.columns; i++) {
            part.y[i] = part.next[i];
            part.stages[i] = part.stages[last * part.stride + i];
          }
        }
        t += h;
      } else {
        growth = least(growth, 1.0f);
      }
      const float rest = end - t;
      const float next = growth * h;
      if (magnitude(rest) <= smallest) {
        t = end;
        h = 0;
      } else if (magnitude(next) < smallest) {
        h = 0;
      } else {
        h = magnitude(next) >= magnitude(rest) ? rest : next;
      }
    }
  });
}

}  // namespace

extern const Kernel adaptive_control = {
    "adaptive_control",
    {"y", "y_new", "stages", "log_det", "log_det_new", "log_det_stages", "t", "h", "evaluations"},
    {{"error", nullptr}, {"rtol", nullptr}, {"atol", nullptr}, {"start", nullptr}, {"end", nullptr}, {"cost", nullptr}},
    run,
    nullptr};

}  // namespace LFM_TARGET
}  // namespace lfm
