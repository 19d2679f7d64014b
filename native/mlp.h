/**
 * What the fused MLP composites share: the network as a Call describes it (src/networks/mlp/spec.ts), its packed weights,
 * and the passes of one strip of rows through it, by one thread. Weights are packed once a call by all threads; after that
 * strips are independent of each other.
 */
#pragma once

#include "simd/activations.h"
#include "strip.h"

namespace lfm {
namespace LFM_TARGET {

/** Rows of a strip whose weights' gradients are summed: constant, since the order of sums depends on it. */
constexpr int64_t STRIP_ROWS = 126;
/** Rows of a strip that only goes forward, by the second-level cache: 126 for one of 1 MiB. No result depends on it. */
inline int64_t forward_rows() {
  const int64_t tiles = caches().l2 * STRIP_ROWS / BLOCK_ROWS >> 20;
  return least<int64_t>(2 * STRIP_ROWS, most<int64_t>(2, tiles) * BLOCK_ROWS);
}

/** Attributes of every MLP composite, first in its list. */
enum { HIDDEN, FREQUENCIES, ACTIVATION, BETA, EVERY_TIME, SCALE, MLP_ATTRIBUTES };
#define LFM_MLP_ATTRIBUTES                                                                                         \
  {"hidden", nullptr}, {"frequencies", nullptr}, {"activation", activation_names}, {"beta", nullptr},              \
      {"everyTime", nullptr}, {"scale", nullptr}

/** Hands out scratch memory from its start on; without memory it only counts. */
struct Arena {
  float* memory;
  int64_t used = 0;

  float* take(int64_t floats) {
    float* const start = memory ? memory + used : nullptr;
    used += round_up(floats, 16);
    return start;
  }
};

struct MlpLayer {
  int64_t inputs, outputs;
  /** into the flat parameters; timeless where time_at < 0 */
  int64_t weight_at, bias_at, time_at;
  /** x Wᵀ, and dy W */
  Packed forward, backward;
};

/** Where a strip's rows come from: x [rows, D], condition [rows, C], time of each row or (stride 0) of all. */
struct StripInput {
  const float *x, *condition, *time;
  int64_t time_stride, rows;
};

/** One thread's memory for a strip of up to `capacity` rows. */
struct Workspace {
  float* features;
  /** outputs of the hidden layers */
  float* hidden[MAX_LIST];
  /** derivatives of their activations; nullptr where they are not kept */
  float* slopes[MAX_LIST];
};

struct Mlp {
  int64_t D, C, F, inputs;
  /** hidden layers; layer `last` is the head */
  int last;
  int activation;
  float beta, scale;
  float frequencies[MAX_LIST];
  const float* parameters;
  MlpLayer layers[MAX_LIST + 1];

  Mlp(const Call& call, const Operand& parameters, int64_t D, const Operand& condition);

  /** Whether the activation's derivative is a function of its input, so that it is best computed beside the value. */
  bool derivative_of_input() const {
    bool of_input = false;
    with_activation(activation, [&](auto act) { of_input = decltype(act)::of_input; });
    return of_input;
  }
  int64_t widest() const;

  void place_forward(Arena& arena);
  void place_backward(Arena& arena);
  /** Packs the weights that were placed. */
  void pack(Workers& workers, bool backward) const;

  /** Each hidden layer's output in its own place (slopes too where the derivative needs them). */
  Workspace keep_all(Arena& arena, int64_t rows) const;
  /** Outputs in turn in two places; with `slopes` the derivatives of all layers are kept. */
  Workspace keep_two(Arena& arena, int64_t rows, bool slopes) const;

  /** Input features and all hidden layers of a strip. */
  void run_hidden(const StripInput& in, const Workspace& space) const;
  /** v of a strip whose hidden layers are done: element (r, d) at out[p·column_stride + r·row_stride + d − p], p where d's
   * panel begins: a strip (PANEL, rows) or a dense matrix (D, 1). */
  void run_head(const StripInput& in, const Workspace& space, float* out, int64_t row_stride,
                int64_t column_stride) const;
};

/** The exact trace, or Hutchinson's estimate, of a strip whose hidden layers are done and whose slopes are kept. */
struct Divergence {
  const Mlp& net;
  /** of one dimension's tangent: its rows of the first layer's weight, packed; nullptr with probes */
  float* packed = nullptr;

  /** 1 + 2F */
  int64_t depth() const { return 1 + 2 * net.F; }
  void place(Arena& arena, bool probes);
  void pack(Workers& workers) const;

  struct Space {
    float *tangent, *layers[2], *dv;
  };
  Space space(Arena& arena, int64_t rows, bool probes) const;
  /** probes: the strip's first row for the first of T tangents, for the next one `probe_stride` on; nullptr: exact. */
  void run(const StripInput& in, const Workspace& hidden, const Space& space, const float* probes, int64_t probe_stride,
           int64_t T, float* divergence) const;
};

/** task(first row, rows, worker) over strips of [0, rows) that share out evenly. */
template <class Task>
inline void parallel_strips(Workers& workers, int64_t rows, Task task) {
  int64_t strips = round_up(divide_up(rows, forward_rows()), workers.count);
  strips = least(strips, divide_up(rows, BLOCK_ROWS));
  parallel(workers, strips, [&](int64_t strip, int worker) {
    const int64_t first = strip * rows / strips;
    task(first, (strip + 1) * rows / strips - first, worker);
  });
}

}  // namespace LFM_TARGET
}  // namespace lfm
