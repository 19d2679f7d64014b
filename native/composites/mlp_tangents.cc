/** Velocity and divergence, strip by strip; contract and expansion in src/networks/mlp/mlp_tangents.ts. */

#include "mlp.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { PARAMETERS, X, TIME, CONDITION, PROBES, OUT, DIVERGENCE };

struct Plan {
  Mlp net;
  Divergence divergence{net};
  Arena arena;
  int64_t space;
  bool probes;

  explicit Plan(const Call& call)
      : net(call, call[PARAMETERS], call[X].shape[1], call[CONDITION]),
        arena{call.scratch},
        probes(call[PROBES].given()) {
    net.place_forward(arena);
    divergence.place(arena, probes);
    Arena one{nullptr};
    net.keep_two(one, forward_rows(), true);
    divergence.space(one, forward_rows(), probes);
    space = one.used;
  }
  Plan(const Plan&) = delete;
};

int64_t scratch(const Call& call, int workers) {
  const Plan plan(call);
  return plan.arena.used + workers * plan.space;
}

void run(const Call& call, Workers& workers) {
  Plan plan(call);
  plan.net.pack(workers, false);
  plan.divergence.pack(workers);
  const int64_t B = call[X].shape[0], D = call[X].shape[1];
  const int64_t T = plan.probes ? call[PROBES].shape[0] / B : D;
  const int64_t time_stride = call[TIME].shape[0] == 1 ? 0 : 1;
  parallel_strips(workers, B, [&](int64_t first, int64_t rows, int worker) {
    const Mlp& net = plan.net;
    Arena arena{call.scratch + plan.arena.used + worker * plan.space};
    const Workspace hidden = net.keep_two(arena, forward_rows(), true);
    const Divergence::Space space = plan.divergence.space(arena, forward_rows(), plan.probes);
    const StripInput in{call[X].floats() + first * D, call[CONDITION].floats() + first * net.C,
                        call[TIME].floats() + first * time_stride, time_stride, rows};
    net.run_hidden(in, hidden);
    net.run_head(in, hidden, call[OUT].floats() + first * D, D, 1);
    plan.divergence.run(in, hidden, space, plan.probes ? call[PROBES].floats() + first * D : nullptr, B * D, T,
                        call[DIVERGENCE].floats() + first);
  });
}

}  // namespace

extern const Kernel mlp_tangents = {"mlp_tangents",
                             {"parameters", "x", "t", "condition", "probes", "out", "divergence"},
                             {LFM_MLP_ATTRIBUTES},
                             run,
                             scratch};

}  // namespace LFM_TARGET
}  // namespace lfm
