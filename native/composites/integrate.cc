/**
 * Integration through one or several sub-flows; contract and expansion in src/ode/integrate.ts. A strip of rows goes
 * through all evaluations, sub-flows and layers on one thread: nothing waits for another strip.
 */

#include "mlp.h"
#include "simd/lanes.h"
#include "simd/simd.h"
#include "strip.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { PARAMETERS, TABLE, Y, CONDITION, LOG_DET, PROBES, AHEAD, OUT, LOG_DET_OUT, AHEAD_OUT };
enum { SCALES = MLP_ATTRIBUTES };

/** As MOST_NETWORKS of src/device/native/composites.ts. */
constexpr int MOST_NETWORKS = 16;

/** A row of the table: see src/ode/evaluations.ts. */
struct Evaluation {
  float time, factor, own, place, code, share, reach, carry;

  int network() const { return static_cast<int>(code) / 2; }
  bool ends() const { return static_cast<int>(code) % 2 == 1; }
};

/** to = from + factor·rate, element by element. */
void combine(const float* from, float factor, const float* rate, int64_t count, float* to) {
  const V c = set1(factor);
  for (int64_t i = 0; i < count; i += W) {
    const int lanes = static_cast<int>(least<int64_t>(W, count - i));
    store_lanes(to + i, fma(c, load_lanes(rate + i, lanes), load_lanes(from + i, lanes)), lanes);
  }
}

/** to = factor·from + own·x, element by element; x may be left out. */
void scale(float factor, const float* from, float own, const float* x, int64_t count, float* to) {
  const V f = set1(factor), o = set1(own);
  for (int64_t i = 0; i < count; i += W) {
    const int lanes = static_cast<int>(least<int64_t>(W, count - i));
    V value = f * load_lanes(from + i, lanes);
    if (x) value = fma(o, load_lanes(x + i, lanes), value);
    store_lanes(to + i, value, lanes);
  }
}

struct Network {
  Mlp net;
  Divergence divergence{net};

  Network(const Call& call, const Operand& parameters) : net(call, parameters, call[Y].shape[1], call[CONDITION]) {}
  Network(const Network&) = delete;
  // of this class alone: the library's would be a function that targets share
  static void* operator new(size_t, void* at) { return at; }
};

struct Plan {
  /** scratch memory, and that of packed weights where these stay from run to run */
  Arena arena, kept;
  int64_t space;
  int networks;
  bool log_det, probes;

  explicit Plan(const Call& call)
      : arena{call.scratch},
        kept{call.prepared},
        networks(most(call.attributes[SCALES].count, 1)),
        log_det(call[LOG_DET].given()),
        probes(call[PROBES].given()) {
    const int64_t P = call[PARAMETERS].shape[0] / networks;
    for (int n = 0; n < networks; n++) {
      Operand own = call[PARAMETERS];
      own.data = call[PARAMETERS].floats() + n * P;
      Network* const network = new (at(n)) Network(call, own);
      network->net.place_forward(call.prepared ? kept : arena);
      network->net.scale = static_cast<float>(call.attributes[SCALES].list[n]);
      if (log_det) network->divergence.place(arena, probes);
    }
    Arena one{nullptr};
    Strips(*this, one);
    space = one.used;
  }
  Plan(const Plan&) = delete;

  Network& operator[](int n) { return *static_cast<Network*>(at(n)); }
  const Network& operator[](int n) const { return *static_cast<const Network*>(const_cast<Plan*>(this)->at(n)); }

  /** One thread's memory: y at a step's start, the sum so far, a stage's place and its rate; then the network's. */
  struct Strips {
    float *y, *sum, *x, *rate, *trace;
    Workspace hidden;
    Divergence::Space tangents = {};

    Strips(const Plan& plan, Arena& arena) {
      const int64_t floats = forward_rows() * plan[0].net.D;
      y = arena.take(floats);
      sum = arena.take(floats);
      x = arena.take(floats);
      rate = arena.take(floats);
      trace = arena.take(forward_rows());
      hidden = plan[0].net.keep_two(arena, forward_rows(), plan.log_det);
      if (plan.log_det) tangents = plan[0].divergence.space(arena, forward_rows(), plan.probes);
    }
  };

 private:
  alignas(Network) unsigned char memory[MOST_NETWORKS * sizeof(Network)];
  void* at(int n) { return memory + n * sizeof(Network); }
};

/** The packed weights of all networks; with a log-determinant the tangents' are made anew beside them, so that little is won. */
Preparation prepared(const Call& call) {
  if (call[Y].shape[0] > KEPT_ROWS || call[LOG_DET].given()) return {PARAMETERS, 0, 0};
  const int networks = most(call.attributes[SCALES].count, 1);
  const Mlp net(call, call[PARAMETERS], call[Y].shape[1], call[CONDITION]);
  int64_t floats = 0;
  uint64_t form = static_cast<uint64_t>(networks);
  for (int i = 0; i <= net.last; i++) {
    const MlpLayer& layer = net.layers[i];
    floats += round_up(Packed::floats(layer.inputs, layer.outputs), 16);
    form = form * 1000003 + static_cast<uint64_t>(layer.outputs);
  }
  return {PARAMETERS, networks * floats, static_cast<int64_t>(form)};
}

int64_t scratch(const Call& call, int workers) {
  const Plan plan(call);
  return plan.arena.used + workers * plan.space;
}

void run(const Call& call, Workers& workers) {
  Plan plan(call);
  for (int n = 0; n < plan.networks; n++) {
    if (!call.prepared || call.prepare) plan[n].net.pack(workers, false);
    if (plan.log_det) plan[n].divergence.pack(workers);
  }
  const int64_t B = call[Y].shape[0], D = call[Y].shape[1];
  const int64_t T = plan.probes ? call[PROBES].shape[0] / B : D;
  const Evaluation* const evaluations = static_cast<const Evaluation*>(call[TABLE].data);
  const int64_t count = call[TABLE].shape[0];
  parallel_strips(workers, B, [&](int64_t first, int64_t rows, int worker) {
    Arena arena{call.scratch + plan.arena.used + worker * plan.space};
    const Plan::Strips strips(plan, arena);
    const int64_t size = rows * D;
    const float* const condition = call[CONDITION].floats() + first * plan[0].net.C;
    const float* const probes = plan.probes ? call[PROBES].floats() + first * D : nullptr;
    float* const log_det = plan.log_det ? call[LOG_DET_OUT].floats() + first : nullptr;
    memcpy(strips.y, call[Y].floats() + first * D, size * sizeof(float));
    if (log_det) memmove(log_det, call[LOG_DET].floats() + first, rows * sizeof(float));
    // what the step's sum is made from so far: y itself, or what lies in `sum`
    const float* sum = strips.y;
    if (call[AHEAD].given()) {
      memcpy(strips.sum, call[AHEAD].floats() + first * D, size * sizeof(float));
      sum = strips.sum;
    }
    const float* place = strips.y;
    for (int64_t e = 0; e < count; e++) {
      const Evaluation& now = evaluations[e];
      const Network& network = plan[now.network()];
      const float* const x = now.place == 1 ? place : strips.x;
      if (now.place != 1) scale(now.place, place, 0, nullptr, size, strips.x);
      const StripInput in{x, condition, &now.time, 0, rows};
      network.net.run_hidden(in, strips.hidden);
      network.net.run_head(in, strips.hidden, strips.rate, D, 1);
      if (now.factor != 1 || now.own != 0) scale(now.factor, strips.rate, now.own, x, size, strips.rate);
      if (now.share != 0) {
        combine(sum, now.share, strips.rate, size, strips.sum);
        sum = strips.sum;
      }
      if (log_det) {
        network.divergence.run(in, strips.hidden, strips.tangents, probes, B * D, T, strips.trace);
        const float share = (now.share + now.carry) * now.factor * now.place;
        if (share != 0) combine(log_det, share, strips.trace, rows, log_det);
      }
      if (!now.ends()) {
        combine(strips.y, now.reach, strips.rate, size, strips.x);
        place = strips.x;
        continue;
      }
      if (sum != strips.y) memcpy(strips.y, sum, size * sizeof(float));
      place = sum = strips.y;
      if (now.carry != 0) {
        combine(strips.y, now.carry, strips.rate, size, strips.sum);
        sum = strips.sum;
      }
    }
    memcpy(call[OUT].floats() + first * D, strips.y, size * sizeof(float));
    if (call[AHEAD_OUT].given()) memcpy(call[AHEAD_OUT].floats() + first * D, sum, size * sizeof(float));
  });
}

}  // namespace

extern const Kernel integrate = {"integrate",
                                 {"parameters", "table", "y", "condition", "log_det", "probes", "ahead", "out",
                                  "log_det_out", "ahead_out"},
                                 {LFM_MLP_ATTRIBUTES, {"scales", nullptr}},
                                 run,
                                 scratch,
                                 prepared};

}  // namespace LFM_TARGET
}  // namespace lfm
