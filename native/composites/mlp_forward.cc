/** v(x, t, condition), strip by strip; contract and expansion in src/networks/mlp/mlp_forward.ts. */

#include "mlp.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { PARAMETERS, X, TIME, CONDITION, OUT };

struct Plan {
  Mlp net;
  Arena arena;
  int64_t space;

  explicit Plan(const Call& call)
      : net(call, call[PARAMETERS], call[X].shape[1], call[CONDITION]), arena{call.scratch} {
    net.place_forward(arena);
    Arena one{nullptr};
    net.keep_two(one, forward_rows(), false);
    space = one.used;
  }
};

int64_t scratch(const Call& call, int workers) {
  const Plan plan(call);
  return plan.arena.used + workers * plan.space;
}

void run(const Call& call, Workers& workers) {
  Plan plan(call);
  plan.net.pack(workers, false);
  const int64_t time_stride = call[TIME].shape[0] == 1 ? 0 : 1;
  parallel_strips(workers, call[X].shape[0], [&](int64_t first, int64_t rows, int worker) {
    const Mlp& net = plan.net;
    Arena arena{call.scratch + plan.arena.used + worker * plan.space};
    const Workspace space = net.keep_two(arena, forward_rows(), false);
    const StripInput in{call[X].floats() + first * net.D, call[CONDITION].floats() + first * net.C,
                        call[TIME].floats() + first * time_stride, time_stride, rows};
    net.run_hidden(in, space);
    net.run_head(in, space, call[OUT].floats() + first * net.D, net.D, 1);
  });
}

}  // namespace

extern const Kernel mlp_forward = {
    "mlp_forward", {"parameters", "x", "t", "condition", "out"}, {LFM_MLP_ATTRIBUTES}, run, scratch};

}  // namespace LFM_TARGET
}  // namespace lfm
