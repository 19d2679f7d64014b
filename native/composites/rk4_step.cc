/**
 * Classical Runge–Kutta steps; contract and expansion in src/ode/rk4_step.ts. A strip of rows goes through all
 * steps, stages and layers on one thread: nothing waits for another strip.
 */

#include "mlp.h"
#include "simd/lanes.h"
#include "simd/simd.h"
#include "strip.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { PARAMETERS, Y, CONDITION, LOG_DET, PROBES, OUT, LOG_DET_OUT };
enum { START = MLP_ATTRIBUTES, END, STEPS };

constexpr int STAGES = 4;
constexpr double NODES[STAGES] = {0, 0.5, 0.5, 1};
constexpr double WEIGHTS[STAGES] = {1.0 / 6, 1.0 / 3, 1.0 / 3, 1.0 / 6};

/** to = from + factor·rate, element by element. */
void combine(const float* from, double factor, const float* rate, int64_t count, float* to) {
  const V c = set1(static_cast<float>(factor));
  for (int64_t i = 0; i < count; i += W) {
    const int lanes = static_cast<int>(least<int64_t>(W, count - i));
    store_lanes(to + i, fma(c, load_lanes(rate + i, lanes), load_lanes(from + i, lanes)), lanes);
  }
}

struct Plan {
  Mlp net;
  Divergence divergence{net};
  Arena arena;
  int64_t space;
  bool log_det, probes;

  explicit Plan(const Call& call)
      : net(call, call[PARAMETERS], call[Y].shape[1], call[CONDITION]),
        arena{call.scratch},
        log_det(call[LOG_DET].given()),
        probes(call[PROBES].given()) {
    net.place_forward(arena);
    if (log_det) divergence.place(arena, probes);
    Arena one{nullptr};
    Strips(*this, one);
    space = one.used;
  }
  Plan(const Plan&) = delete;

  /** One thread's memory: y at the step's start, the sum so far, a stage's place and its rate; then the network's. */
  struct Strips {
    float *y, *sum, *x, *rate, *trace;
    Workspace hidden;
    Divergence::Space tangents = {};

    Strips(const Plan& plan, Arena& arena) {
      const int64_t floats = forward_rows() * plan.net.D;
      y = arena.take(floats);
      sum = arena.take(floats);
      x = arena.take(floats);
      rate = arena.take(floats);
      trace = arena.take(forward_rows());
      hidden = plan.net.keep_two(arena, forward_rows(), plan.log_det);
      if (plan.log_det) tangents = plan.divergence.space(arena, forward_rows(), plan.probes);
    }
  };
};

int64_t scratch(const Call& call, int workers) {
  const Plan plan(call);
  return plan.arena.used + workers * plan.space;
}

void run(const Call& call, Workers& workers) {
  Plan plan(call);
  plan.net.pack(workers, false);
  if (plan.log_det) plan.divergence.pack(workers);
  const int64_t B = call[Y].shape[0], D = call[Y].shape[1];
  const int64_t T = plan.probes ? call[PROBES].shape[0] / B : D;
  const double start = call.attributes[START].number, steps = call.attributes[STEPS].number;
  const double h = (call.attributes[END].number - start) / steps;
  parallel_strips(workers, B, [&](int64_t first, int64_t rows, int worker) {
    const Mlp& net = plan.net;
    Arena arena{call.scratch + plan.arena.used + worker * plan.space};
    const Plan::Strips strips(plan, arena);
    const int64_t count = rows * D;
    const float* const probes = plan.probes ? call[PROBES].floats() + first * D : nullptr;
    float* const log_det = plan.log_det ? call[LOG_DET_OUT].floats() + first : nullptr;
    memcpy(strips.y, call[Y].floats() + first * D, count * sizeof(float));
    if (log_det) memmove(log_det, call[LOG_DET].floats() + first, rows * sizeof(float));
    for (int64_t step = 0; step < static_cast<int64_t>(steps); step++) {
      for (int stage = 0; stage < STAGES; stage++) {
        const float time = static_cast<float>(start + (static_cast<double>(step) + NODES[stage]) * h);
        // each stage starts from the one before alone, whose share of the step is its own node
        if (stage > 0) combine(strips.y, NODES[stage] * h, strips.rate, count, strips.x);
        const StripInput in{stage > 0 ? strips.x : strips.y, call[CONDITION].floats() + first * net.C, &time, 0, rows};
        net.run_hidden(in, strips.hidden);
        net.run_head(in, strips.hidden, strips.rate, D, 1);
        combine(stage > 0 ? strips.sum : strips.y, WEIGHTS[stage] * h, strips.rate, count, strips.sum);
        if (!log_det) continue;
        plan.divergence.run(in, strips.hidden, strips.tangents, probes, B * D, T, strips.trace);
        combine(log_det, WEIGHTS[stage] * h, strips.trace, rows, log_det);
      }
      memcpy(strips.y, strips.sum, count * sizeof(float));
    }
    memcpy(call[OUT].floats() + first * D, strips.y, count * sizeof(float));
  });
}

}  // namespace

extern const Kernel rk4_step = {"rk4_step",
                         {"parameters", "y", "condition", "log_det", "probes", "out", "log_det_out"},
                         {LFM_MLP_ATTRIBUTES, {"start", nullptr}, {"end", nullptr}, {"steps", nullptr}},
                         run,
                         scratch};

}  // namespace LFM_TARGET
}  // namespace lfm
