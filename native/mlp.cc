/** Passes of one strip through an MLP. See mlp.h. */

#include "mlp.h"

#include "kernels/epilogue.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

/** Elements of src/program/program.ts's ALIGNMENT. */
int64_t aligned(int64_t elements) { return round_up(elements, 64); }

/**
 * y = scale·act(tile + bias + t·time_weight), laid out as run_head says; `slopes` (laid out the same) takes the
 * derivatives. MASKED, for the head: no activation, and y has no room for the rest of a last vector.
 */
template <bool MASKED>
struct LayerEpilogue {
  const float *bias, *time;
  int64_t time_stride;
  const float* time_weight;
  float *y, *slopes;
  int64_t row_stride, column_stride;
  int activation;
  float beta, scale;

  template <class Act, bool SLOPES>
  LFM_INLINE void apply(const float* tile, int stride, int64_t row, int rows, int64_t column, int width) const {
    const V sharpness = set1(beta), inverse = set1(1.0f / beta), factor = set1(scale);
    const bool row_time = time && time_stride != 0;
    for_vectors(width, [&](int v, int lanes) {
      V b = load_lanes(bias + column + v, lanes);
      const V w = time ? load_lanes(time_weight + column + v, lanes) : zero();
      if (time && !row_time) b = fma(set1(*time), w, b);
      int64_t at = column * column_stride + row * row_stride + v;
      for (int r = 0; r < rows; r++, at += row_stride) {
        V sum = load(tile + r * stride + v) + b;
        if (row_time) sum = fma(set1(time[row + r]), w, sum);
        V value;
        if (SLOPES) {
          V slope;
          value = Act::both(sum, sharpness, inverse, slope);
          store(slopes + at, slope);
        } else {
          value = Act::value(sum, sharpness, inverse);
        }
        if (MASKED) {
          store_lanes(y + at, value * factor, lanes);
        } else {
          store(y + at, value);
        }
      }
    });
  }

  LFM_INLINE void operator()(const float* tile, int stride, int64_t row, int rows, int64_t column, int width) const {
    if (MASKED) return apply<Identity, false>(tile, stride, row, rows, column, width);
    with_activation(activation, [&](auto act) {
      if (slopes) {
        apply<decltype(act), true>(tile, stride, row, rows, column, width);
      } else {
        apply<decltype(act), false>(tile, stride, row, rows, column, width);
      }
    });
  }
};

/** y = tile ⊙ slopes, both strips of `rows` rows. */
struct SlopeEpilogue {
  const float* slopes;
  float* y;
  int64_t rows;

  LFM_INLINE void operator()(const float* tile, int stride, int64_t row, int count, int64_t column, int width) const {
    for_vectors(width, [&](int v, int) {
      int64_t at = column * rows + row * PANEL + v;
      for (int r = 0; r < count; r++, at += PANEL) store(y + at, load(tile + r * stride + v) * load(slopes + at));
    });
  }
};

/**
 * [x, condition, sin fx, cos fx, …] with `derivative` false; else its derivative along e (x's layout): [e, 0, f cos(fx)
 * e, −f sin(fx) e].
 */
void write_features(const Mlp& net, const float* x, const float* condition, const float* e, const Strip& out) {
  const int64_t D = net.D, C = net.C;
  const float* const linear = e ? e : x;
  for (int64_t column = 0; column < D + C; column++) {
    float* const to = out.at(0, column);
    if (column < D) {
      for (int64_t r = 0; r < out.rows; r++) to[r * PANEL] = linear[r * D + column];
    } else {
      for (int64_t r = 0; r < out.rows; r++) to[r * PANEL] = e ? 0.0f : condition[r * C + column - D];
    }
  }
  // vectors run along (row, dimension) pairs, which lie together in x
  for (int64_t i = 0; net.F > 0 && i < out.rows * D; i += W) {
    const int lanes = static_cast<int>(least<int64_t>(W, out.rows * D - i));
    const V value = load_lanes(x + i, lanes);
    for (int64_t f = 0; f < net.F; f++) {
      const V frequency = set1(net.frequencies[f]);
      V sine, cosine;
      sin_cos(frequency * value, sine, cosine);
      if (e) {
        const V along = load_lanes(e + i, lanes) * frequency;
        const V turned = zero() - sine * along;
        sine = cosine * along;
        cosine = turned;
      }
      float sines[W], cosines[W];
      store(sines, sine);
      store(cosines, cosine);
      for (int lane = 0; lane < lanes; lane++) {
        const int64_t r = (i + lane) / D, column = D + C + 2 * f * D + (i + lane) % D;
        *out.at(r, column) = sines[lane];
        *out.at(r, column + D) = cosines[lane];
      }
    }
  }
}

}  // namespace

Mlp::Mlp(const Call& call, const Operand& flat, int64_t dimension, const Operand& condition)
    : D(dimension), C(condition.given() ? condition.shape[1] : 0), F(call.attributes[FREQUENCIES].count) {
  inputs = D + C + 2 * F * D;
  const Attribute& hidden = call.attributes[HIDDEN];
  last = hidden.count;
  activation = call.choice(ACTIVATION);
  beta = call.number(BETA);
  scale = call.number(SCALE);
  for (int64_t f = 0; f < F; f++) frequencies[f] = static_cast<float>(call.attributes[FREQUENCIES].list[f]);
  parameters = flat.floats();
  int64_t offset = 0, width = inputs;
  const auto take = [&](int64_t elements) {
    const int64_t start = offset;
    offset += aligned(elements);
    return start;
  };
  for (int i = 0; i <= last; i++) {
    MlpLayer& layer = layers[i];
    layer.inputs = width;
    layer.outputs = width = i < last ? static_cast<int64_t>(hidden.list[i]) : D;
    layer.weight_at = take(layer.inputs * layer.outputs);
    layer.bias_at = take(layer.outputs);
    layer.time_at = i == 0 || call.choice(EVERY_TIME) ? take(layer.outputs) : -1;
  }
}

int64_t Mlp::widest() const {
  int64_t width = 0;
  for (int i = 0; i < last; i++) width = most(width, layers[i].outputs);
  return width;
}

void Mlp::place_forward(Arena& arena) {
  for (int i = 0; i <= last; i++) {
    MlpLayer& layer = layers[i];
    layer.forward = {arena.take(Packed::floats(layer.inputs, layer.outputs)), layer.inputs, layer.outputs};
  }
}

void Mlp::place_backward(Arena& arena) {
  for (int i = 1; i <= last; i++) {
    MlpLayer& layer = layers[i];
    layer.backward = {arena.take(Packed::floats(layer.outputs, layer.inputs)), layer.outputs, layer.inputs};
  }
}

void Mlp::pack(Workers& workers, bool backward) const {
  int64_t parts = 0;
  for (int i = 0; i <= last; i++) {
    parts += layers[i].forward.parts() + (backward && i > 0 ? layers[i].backward.parts() : 0);
  }
  parallel(workers, parts, [&](int64_t part, int) {
    for (int i = 0; i <= last; i++) {
      const MlpLayer& layer = layers[i];
      const float* const weight = parameters + layer.weight_at;
      if (part < layer.forward.parts()) {
        return pack_part(View::transposed(weight, layer.inputs), layer.inputs, layer.outputs, part,
                         const_cast<float*>(layer.forward.data));
      }
      part -= layer.forward.parts();
      if (!backward || i == 0) continue;
      if (part < layer.backward.parts()) {
        return pack_part(View::row_major(weight, layer.inputs), layer.outputs, layer.inputs, part,
                         const_cast<float*>(layer.backward.data));
      }
      part -= layer.backward.parts();
    }
  });
}

Workspace Mlp::keep_all(Arena& arena, int64_t rows) const {
  Workspace space = {};
  space.features = arena.take(Strip::floats(rows, inputs));
  for (int i = 0; i < last; i++) {
    space.hidden[i] = arena.take(Strip::floats(rows, layers[i].outputs));
    if (derivative_of_input()) space.slopes[i] = arena.take(Strip::floats(rows, layers[i].outputs));
  }
  return space;
}

Workspace Mlp::keep_two(Arena& arena, int64_t rows, bool slopes) const {
  Workspace space = {};
  space.features = arena.take(Strip::floats(rows, inputs));
  float* const turns[2] = {arena.take(Strip::floats(rows, widest())), arena.take(Strip::floats(rows, widest()))};
  for (int i = 0; i < last; i++) {
    space.hidden[i] = turns[i % 2];
    if (slopes) space.slopes[i] = arena.take(Strip::floats(rows, layers[i].outputs));
  }
  return space;
}

void Mlp::run_hidden(const StripInput& in, const Workspace& space) const {
  Strip from{space.features, in.rows};
  write_features(*this, in.x, in.condition, nullptr, from);
  for (int i = 0; i < last; i++) {
    const MlpLayer& layer = layers[i];
    const bool timed = layer.time_at >= 0;
    const LayerEpilogue<false> epilogue{parameters + layer.bias_at,
                                        timed ? in.time : nullptr,
                                        in.time_stride,
                                        parameters + layer.time_at,
                                        space.hidden[i],
                                        space.slopes[i],
                                        PANEL,
                                        in.rows,
                                        activation,
                                        beta,
                                        1.0f};
    strip_product(from, layer.forward, epilogue);
    from.data = space.hidden[i];
  }
}

void Mlp::run_head(const StripInput& in, const Workspace& space, float* out, int64_t row_stride,
                   int64_t column_stride) const {
  const MlpLayer& head = layers[last];
  const LayerEpilogue<true> epilogue{parameters + head.bias_at,
                                     head.time_at >= 0 ? in.time : nullptr,
                                     in.time_stride,
                                     parameters + head.time_at,
                                     out,
                                     nullptr,
                                     row_stride,
                                     column_stride,
                                     0,
                                     1.0f,
                                     scale};
  strip_product(Strip{space.hidden[last - 1], in.rows}, head.forward, epilogue);
}

void Divergence::place(Arena& arena, bool probes) {
  if (probes) return;
  const MlpLayer& first = net.layers[0];
  // gathered rows of the weight lie behind the packed ones of each dimension
  packed = arena.take(net.D * (Packed::floats(depth(), first.outputs) + round_up(depth() * first.outputs, 16)));
}

void Divergence::pack(Workers& workers) const {
  if (!packed) return;
  const MlpLayer& first = net.layers[0];
  const int64_t floats = Packed::floats(depth(), first.outputs), N = first.outputs;
  const int64_t each = floats + round_up(depth() * N, 16);
  parallel(workers, net.D, [&](int64_t d, int) {
    float* const gathered = packed + d * each + floats;
    for (int64_t n = 0; n < N; n++) {
      const float* const weights = net.parameters + first.weight_at + n * net.inputs;
      gathered[n * depth()] = weights[d];
      for (int64_t j = 0; j < 2 * net.F; j++) gathered[n * depth() + 1 + j] = weights[net.D + net.C + j * net.D + d];
    }
    const Packed whole{packed + d * each, depth(), N};
    for (int64_t part = 0; part < whole.parts(); part++) {
      pack_part(View::transposed(gathered, depth()), depth(), N, part, packed + d * each);
    }
  });
}

Divergence::Space Divergence::space(Arena& arena, int64_t rows, bool probes) const {
  Space space = {};
  space.tangent = arena.take(Strip::floats(rows, probes ? net.inputs : depth()));
  for (float*& layer : space.layers) layer = arena.take(Strip::floats(rows, net.widest()));
  space.dv = arena.take(rows * (probes ? net.D : 1));
  return space;
}

void Divergence::run(const StripInput& in, const Workspace& hidden, const Space& space, const float* probes,
                     int64_t probe_stride, int64_t T, float* divergence) const {
  const int64_t rows = in.rows, D = net.D;
  const MlpLayer &first = net.layers[0], &head = net.layers[net.last];
  const int64_t each = Packed::floats(depth(), first.outputs) + round_up(depth() * first.outputs, 16);
  memset(divergence, 0, rows * sizeof(float));
  for (int64_t tau = 0; tau < T; tau++) {
    Strip from{space.tangent, rows};
    Packed weight = first.forward;
    if (probes) {
      write_features(net, in.x, nullptr, probes + tau * probe_stride, from);
    } else {
      weight = {packed + tau * each, depth(), first.outputs};
      for (int64_t r = 0; r < rows; r += W) {
        float values[W] = {}, sines[W], cosines[W];
        const int64_t count = least<int64_t>(W, rows - r);
        for (int64_t i = 0; i < count; i++) {
          values[i] = in.x[(r + i) * D + tau];
          *from.at(r + i, 0) = 1.0f;
        }
        for (int64_t f = 0; f < net.F; f++) {
          const V frequency = set1(net.frequencies[f]);
          V sine, cosine;
          sin_cos(frequency * load(values), sine, cosine);
          store(cosines, cosine * frequency);
          store(sines, zero() - sine * frequency);
          for (int64_t i = 0; i < count; i++) {
            *from.at(r + i, 1 + 2 * f) = cosines[i];
            *from.at(r + i, 2 + 2 * f) = sines[i];
          }
        }
      }
    }
    for (int i = 0; i < net.last; i++) {
      const Strip to{space.layers[i % 2], rows};
      strip_product(from, weight, SlopeEpilogue{hidden.slopes[i], to.data, rows});
      from = to;
      weight = net.layers[i + 1].forward;
    }
    if (!probes) weight = {net.parameters + head.weight_at + tau * head.inputs, head.inputs, 1};
    const int64_t columns = weight.columns;
    strip_product(from, weight, [&](const float* tile, int stride, int64_t row, int count, int64_t column, int width) {
      for (int r = 0; r < count; r++) {
        for_vectors(width, [&](int v, int lanes) {
          store_lanes(space.dv + (row + r) * columns + column + v, load(tile + r * stride + v), lanes);
        });
      }
    });
    const float share = probes ? net.scale / static_cast<float>(T) : net.scale;
    for (int64_t r = 0; r < rows; r++) {
      float sum = space.dv[r * columns];
      if (probes) {
        V products = zero();
        for_vectors(static_cast<int>(D), [&](int d, int lanes) {
          const float* const e = probes + tau * probe_stride + r * D + d;
          products = fma(load_lanes(e, lanes), load_lanes(space.dv + r * D + d, lanes), products);
        });
        sum = horizontal_sum(products);
      }
      divergence[r] += share * sum;
    }
  }
}

}  // namespace LFM_TARGET
}  // namespace lfm
