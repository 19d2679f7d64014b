/**
 * Gradient of the flow-matching loss; contract and expansion in src/networks/mlp/mlp_backward.ts.
 *
 * A strip of rows goes forward through all layers, through the loss and back again while it is in one thread's cache; dz
 * of a layer takes the place of its output. Weight gradients are sums over rows: the batch is cut into *lanes*, ranges of
 * rows whose number depends on the batch only. A lane adds up its strips in order in its own sums, and the lanes are
 * added in order at the end, so that results are bit-identical for any number of threads. A first layer of few inputs has its
 * sums transposed, xᵀ dz, so that vectors run along its many outputs.
 */

#include "kernels/epilogue.h"
#include "mlp.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { PARAMETERS, X, TIME, CONDITION, TARGET_OUT, GRADIENT, ROW_LOSS };

constexpr int64_t FEW_INPUTS = 64;
/** Lanes for large batches, rows of a lane from which on there are more than a few, and rows of the smallest strips. */
constexpr int64_t MOST_LANES = 32, FEW_LANES = 8, LANE_ROWS = 512, LEAST_STRIP = 64;

/** Where a lane keeps the sums of one layer. */
struct LayerSums {
  int64_t weight, bias, time;
  bool transposed;
};

struct Plan {
  Mlp net;
  Arena arena;
  int64_t B, strip_rows, lanes, lane_floats, space;
  LayerSums sums[MAX_LIST + 1];
  float* lane_memory;

  explicit Plan(const Call& call)
      : net(call, call[PARAMETERS], call[X].shape[1], call[CONDITION]), arena{call.scratch}, B(call[X].shape[0]) {
    strip_rows = least(STRIP_ROWS, most(LEAST_STRIP, B / FEW_LANES));
    const int64_t strips = divide_up(B, strip_rows);
    lanes = 1;
    while (2 * lanes <= least(strips, MOST_LANES) && (lanes < FEW_LANES || B >= 2 * lanes * LANE_ROWS)) lanes *= 2;
    net.place_forward(arena);
    net.place_backward(arena);
    Arena lane{nullptr};
    for (int i = 0; i <= net.last; i++) {
      const MlpLayer& layer = net.layers[i];
      LayerSums& sum = sums[i];
      sum.transposed = i == 0 && layer.inputs < FEW_INPUTS;
      const auto offset = [&](int64_t floats) {
        const int64_t at = lane.used;
        lane.take(floats);
        return at;
      };
      sum.weight = offset(sum.transposed ? Strip::floats(layer.inputs, layer.outputs)
                                         : Strip::floats(layer.outputs, layer.inputs));
      sum.bias = offset(round_up(layer.outputs, W));
      sum.time = offset(round_up(layer.outputs, W));
    }
    lane_floats = lane.used;
    lane_memory = arena.take(lanes * lane_floats);
    Arena one{nullptr};
    Strips(*this, one);
    space = one.used;
  }

  struct Strips {
    Workspace layers;
    float* delta;
    Strips(const Plan& plan, Arena& arena) {
      layers = plan.net.keep_all(arena, plan.strip_rows);
      delta = arena.take(Strip::floats(plan.strip_rows, plan.net.D));
    }
  };
};

int64_t scratch(const Call& call, int workers) {
  const Plan plan(call);
  return plan.arena.used + workers * plan.space;
}

/** Turns the velocity in delta into its gradient, and writes the losses of the rows. */
void loss(const Call& call, const Mlp& net, int64_t first, const Strip& delta) {
  const double B = static_cast<double>(call[X].shape[0]), D = static_cast<double>(net.D);
  const V slope = set1(static_cast<float>(2.0 / (B * D * net.scale)));
  const float mean = static_cast<float>(1.0 / (D * net.scale * net.scale));
  const float* const target = call[TARGET_OUT].floats() + first * net.D;
  for (int64_t row = 0; row < delta.rows; row++) {
    V squares = zero();
    for_vectors(static_cast<int>(net.D), [&](int d, int lanes) {
      float* const at = delta.at(row, d);
      const V residual = load_lanes(at, lanes) - load_lanes(target + row * net.D + d, lanes);
      squares = fma(residual, residual, squares);
      store_lanes(at, residual * slope, lanes);
    });
    call[ROW_LOSS].floats()[first + row] = horizontal_sum(squares) * mean;
  }
}

/** hidden = tile ⊙ act'(hidden), or by the slopes that were kept. */
struct BackwardEpilogue {
  const float* slopes;
  float* hidden;
  int64_t rows;
  int activation;
  float beta;

  template <class Derivative>
  LFM_INLINE void apply(const float* tile, int stride, int64_t row, int count, int64_t column, int width,
                        Derivative derivative) const {
    for_vectors(width, [&](int v, int) {
      int64_t at = column * rows + row * PANEL + v;
      for (int r = 0; r < count; r++, at += PANEL) store(hidden + at, load(tile + r * stride + v) * derivative(at));
    });
  }

  LFM_INLINE void operator()(const float* tile, int stride, int64_t row, int count, int64_t column, int width) const {
    if (slopes) {
      return apply(tile, stride, row, count, column, width, [&](int64_t at) { return load(slopes + at); });
    }
    const V sharpness = set1(beta);
    with_activation(activation, [&](auto act) {
      apply(tile, stride, row, count, column, width,
            [&](int64_t at) { return decltype(act)::derivative(load(hidden + at), sharpness); });
    });
  }
};

void run_strip(const Call& call, const Plan& plan, int64_t first, int64_t rows, bool accumulate, float* sums,
               const Plan::Strips& strips) {
  const Mlp& net = plan.net;
  const float* const t = call[TIME].floats() + first;
  const StripInput in{call[X].floats() + first * net.D, call[CONDITION].floats() + first * net.C, t, 1, rows};
  const Workspace& space = strips.layers;
  net.run_hidden(in, space);
  net.run_head(in, space, strips.delta, PANEL, rows);
  Strip dz{strips.delta, rows};
  loss(call, net, first, dz);
  for (int i = net.last; i >= 0; i--) {
    const MlpLayer& layer = net.layers[i];
    const LayerSums& sum = plan.sums[i];
    const Strip x{i > 0 ? space.hidden[i - 1] : space.features, rows};
    add_columns(dz, layer.outputs, layer.time_at < 0 ? nullptr : t, accumulate, sums + sum.bias, sums + sum.time);
    if (sum.transposed) {
      strip_reduction(x, layer.inputs, dz, layer.outputs, accumulate, sums + sum.weight);
    } else {
      strip_reduction(dz, layer.outputs, x, layer.inputs, accumulate, sums + sum.weight);
    }
    if (i == 0) return;
    strip_product(dz, layer.backward, BackwardEpilogue{space.slopes[i - 1], x.data, rows, net.activation, net.beta});
    dz = x;
  }
}

/** Adds up the lanes for the outputs [first, last) of a layer. */
void add_lanes(const Plan& plan, int i, int64_t first, int64_t last, float* gradient) {
  const MlpLayer& layer = plan.net.layers[i];
  const LayerSums& sum = plan.sums[i];
  const int64_t K = layer.inputs, N = layer.outputs;
  const auto total = [&](int64_t at) __attribute__((always_inline)) {
    const float* from = plan.lane_memory + at;
    V value = load(from);
    for (int64_t lane = 1; lane < plan.lanes; lane++) value = value + load(from += plan.lane_floats);
    return value;
  };
  float* const weight = gradient + layer.weight_at;
  if (sum.transposed) {
    for (int64_t n = first; n < last; n += W) {
      const int lanes = static_cast<int>(least<int64_t>(W, last - n));
      for (int64_t k = 0; k < K; k++) {
        float values[W];
        store(values, total(sum.weight + n / PANEL * PANEL * K + k * PANEL + n % PANEL));
        for (int lane = 0; lane < lanes; lane++) weight[(n + lane) * K + k] = values[lane];
      }
    }
  } else {
    for (int64_t k = 0; k < K; k += W) {
      const int lanes = static_cast<int>(least<int64_t>(W, K - k));
      const int64_t at = sum.weight + k / PANEL * PANEL * N + k % PANEL;
      for (int64_t n = first; n < last; n++) store_lanes(weight + n * K + k, total(at + n * PANEL), lanes);
    }
  }
  for (int64_t n = first; n < last; n += W) {
    const int lanes = static_cast<int>(least<int64_t>(W, last - n));
    store_lanes(gradient + layer.bias_at + n, total(sum.bias + n), lanes);
    if (layer.time_at >= 0) store_lanes(gradient + layer.time_at + n, total(sum.time + n), lanes);
  }
}

void run(const Call& call, Workers& workers) {
  Plan plan(call);
  plan.net.pack(workers, true);
  parallel(workers, plan.lanes, [&](int64_t lane, int worker) {
    Arena arena{call.scratch + plan.arena.used + worker * plan.space};
    const Plan::Strips strips(plan, arena);
    const int64_t begin = lane * plan.B / plan.lanes, rows = (lane + 1) * plan.B / plan.lanes - begin;
    const int64_t count = divide_up(rows, plan.strip_rows);
    for (int64_t strip = 0; strip < count; strip++) {
      const int64_t first = begin + strip * rows / count, end = begin + (strip + 1) * rows / count;
      run_strip(call, plan, first, end - first, strip > 0, plan.lane_memory + lane * plan.lane_floats, strips);
    }
  });
  int64_t parts = 0;
  for (int i = 0; i <= plan.net.last; i++) parts += divide_up(plan.net.layers[i].outputs, PANEL);
  parallel(workers, parts, [&](int64_t part, int) {
    for (int i = 0; i <= plan.net.last; i++) {
      const int64_t N = plan.net.layers[i].outputs, panels = divide_up(N, PANEL);
      if (part < panels) {
        return add_lanes(plan, i, part * PANEL, least((part + 1) * PANEL, N), call[GRADIENT].floats());
      }
      part -= panels;
    }
  });
}

}  // namespace

extern const Kernel mlp_backward = {"mlp_backward",
                             {"parameters", "x", "t", "condition", "target", "gradient", "row_loss"},
                             {LFM_MLP_ATTRIBUTES},
                             run,
                             scratch};

}  // namespace LFM_TARGET
}  // namespace lfm
