/** 2-D convolution with bias, shift, residual, activation and stages; contract and reference in src/kernels/conv2d.ts. */

#include "kernels/epilogue.h"
#include "lines.h"
#include "winograd.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { X, WEIGHT, BIAS, SHIFT, RESIDUAL, STAGES, Y };
enum {
  STRIDE,
  PADDING,
  UPSAMPLE,
  ACTIVATION,
  BETA,
  X_LAYOUT,
  Y_LAYOUT,
  X_FIRST,
  Y_FIRST,
  SHIFT_FIRST,
  RESIDUAL_FIRST,
  SCALE,
  COMBINE,
  COEFFICIENTS,
  VARIANT
};
constexpr const char* combine_names[] = {"none", "input", "output", nullptr};
enum { NONE, INPUT, OUTPUT };

/** Stages that are added up: where they are, and the coefficients that are not zero. */
struct Stages {
  const float* data[MAX_LIST];
  float coefficient[MAX_LIST];
  int count = 0;

  explicit Stages(const Call& call) {
    const Attribute& given = call.attributes[COEFFICIENTS];
    for (int s = 0; s < given.count; s++) {
      if (given.list[s] == 0) continue;
      data[count] = call[STAGES].floats() + s * call[STAGES].shape[1];
      coefficient[count++] = static_cast<float>(given.list[s]);
    }
  }
  LFM_INLINE V add(V sum, int64_t at, int lanes) const {
    for (int s = 0; s < count; s++) sum = fma(set1(coefficient[s]), load_lanes(data[s] + at, lanes), sum);
    return sum;
  }
  LFM_INLINE float add_one(float sum, int64_t at) const {
    for (int s = 0; s < count; s++) sum += coefficient[s] * data[s][at];
    return sum;
  }
};

/** Rows are output pixels, columns channels. */
struct ConvolutionEpilogue {
  Pictures y;
  const float* bias;
  const float* shift;
  /** floats from picture to picture; 0: one for all */
  int64_t shift_stride;
  Pictures residual;
  /** the residual's pixels are repeated 2 × 2 */
  bool halved;
  const Stages* stages;
  int activation;
  float beta, scale;

  /** What the pixels from `row` on will touch. */
  LFM_INLINE void announce(int64_t row, int64_t rows, Fetch& fetch) const {
    if (y.channel != 1) return;
    fetch.add(y.data + row * y.pixel, rows * y.pixel);
    if (residual.data && !halved) fetch.add(residual.data + row * residual.pixel, rows * residual.pixel);
  }

  template <class Act>
  LFM_INLINE void apply(const float* tile, int stride, int64_t row, int rows, int64_t column, int width) const {
    const V sharpness = set1(beta), inverse = set1(1.0f / beta), factor = set1(scale);
    PixelCounter at(row, y.H * y.W);
    for (int r = 0; r < rows; r++, at.next()) {
      const float* const own = shift ? shift + at.b * shift_stride + column : nullptr;
      const float* added = nullptr;
      if (residual.data) {
        added = residual.data + at.b * residual.picture;
        if (halved) {
          added += (at.position / y.W / 2 * residual.W + at.position % y.W / 2) * residual.pixel;
        } else {
          added += at.position * residual.pixel;
        }
        added += column * residual.channel;
      }
      float* const to = y.data + at.b * y.picture + at.position * y.pixel + column * y.channel;
      for_vectors(width, [&](int v, int lanes) __attribute__((always_inline)) {
        V sum = load(tile + r * stride + v) + load_lanes(bias + column + v, lanes);
        if (own) sum = sum + load_lanes(own + v, lanes);
        sum = Act::value(sum, sharpness, inverse) * factor;
        if (y.channel == 1) {
          if (added) sum = sum + load_lanes(added + v, lanes);
          if (stages) sum = stages->add(sum, to + v - y.data, lanes);
          return store_lanes(to + v, sum, lanes);
        }
        float values[W];
        store(values, sum);
        for (int lane = 0; lane < lanes; lane++) {
          const int64_t place = (v + lane) * y.channel;
          float value = values[lane];
          if (added) value += added[place];
          if (stages) value = stages->add_one(value, to + place - y.data);
          to[place] = value;
        }
      });
    }
  }

  LFM_INLINE void operator()(const float* tile, int stride, int64_t row, int rows, int64_t column, int width) const {
    with_activation(activation, [&](auto act) {
      apply<decltype(act)>(tile, stride, row, rows, column, width);
    });
  }
};

int64_t depth_of(const Call& call) {
  const int64_t* s = call[WEIGHT].shape;
  return s[0] * s[1] * s[2];
}

Patches patches_of(const Call& call) {
  const int64_t* const w = call[WEIGHT].shape;
  const Pictures x = Pictures::of(call[X], call.choice(X_LAYOUT), call.choice(X_FIRST));
  const Pictures y = Pictures::of(call[Y], call.choice(Y_LAYOUT), call.choice(Y_FIRST));
  const int64_t padding = call.choice(PADDING);
  return {x, w[2], w[0], w[1], y.H, y.W, call.choice(STRIDE), -padding_along_y(w[0], w[1], padding), -padding, 1,
          call.choice(UPSAMPLE) == 2};
}

/** Whether lines can be packed, and are worth it. */
bool by_lines(const Call& call, const Patches& patches) {
  return Lines::fit(patches) && !Packed{nullptr, patches.depth(), call[WEIGHT].shape[3]}.dots();
}

int64_t scratch(const Call& call, int workers) {
  const int64_t K = depth_of(call), N = call[WEIGHT].shape[3];
  const int64_t combined = call.choice(COMBINE) == INPUT ? round_up(call[X].size(), 16) : 0;
  const Patches patches = patches_of(call);
  if (call.choice(VARIANT) == WINOGRAD) return combined + TileProduct::scratch(Tiles(patches), N, workers);
  const int64_t product = by_lines(call, patches) ? round_up(K * N, 16) + LineProduct::scratch(Lines(patches), workers)
                                                  : PatchProduct::scratch(K, N, workers);
  return combined + Packed::floats(K, N) + product;
}

Preparation prepared(const Call& call) {
  const Patches patches = patches_of(call);
  const int64_t K = depth_of(call), N = call[WEIGHT].shape[3];
  const bool few = call.choice(VARIANT) != WINOGRAD && patches.rows() <= KEPT_ROWS;
  // the order of the depth, where it is by lines
  const int64_t order = by_lines(call, patches) ? 1 + 2 * patches.step + (patches.offset_x & 1) : 0;
  return {WEIGHT, few ? Packed::floats(K, N) : 0, 8 * N + order};
}

/** x + Σ c_s·stage_s */
void combine(const Call& call, Workers& workers, float* out) {
  const Stages stages(call);
  parallel_ranges(workers, call[X].size(), 16384, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; i += W) {
      const int lanes = static_cast<int>(least<int64_t>(W, last - i));
      store_lanes(out + i, stages.add(load_lanes(call[X].floats() + i, lanes), i, lanes), lanes);
    }
  });
}

void run(const Call& call, Workers& workers) {
  const int64_t K = depth_of(call), N = call[WEIGHT].shape[3];
  Patches patches = patches_of(call);
  float* space = call.scratch;
  if (call.choice(COMBINE) == INPUT) {
    combine(call, workers, space);
    patches.from.data = space;
    space += round_up(call[X].size(), 16);
  }
  const Pictures y = Pictures::of(call[Y], call.choice(Y_LAYOUT), call.choice(Y_FIRST));
  const Stages stages(call);
  Pictures residual{};
  if (call[RESIDUAL].given()) {
    residual = Pictures::of(call[RESIDUAL], call.choice(Y_LAYOUT), call.choice(RESIDUAL_FIRST));
  }
  const Operand& shift = call[SHIFT];
  const ConvolutionEpilogue epilogue{y,
                                     call[BIAS].floats(),
                                     shift.given() ? shift.floats() + call.choice(SHIFT_FIRST) : nullptr,
                                     shift.shape[0] == 1 ? 0 : shift.shape[1],
                                     residual,
                                     residual.data && residual.H != y.H,
                                     call.choice(COMBINE) == OUTPUT ? &stages : nullptr,
                                     call.choice(ACTIVATION),
                                     call.number(BETA),
                                     call.number(SCALE)};
  const float* weight = call[WEIGHT].floats();
  if (call.choice(VARIANT) == WINOGRAD) {
    const Tiles tiles(patches);
    const TileWeights transformed = TileWeights::of(workers, weight, patches.C, N, space);
    return TileProduct{tiles, transformed, space + TileWeights::floats(patches.C, N)}.run(workers, epilogue);
  }
  const Lines lines(patches);
  const bool lined = by_lines(call, patches);
  float* const ordered = space;
  if (lined) space += round_up(K * N, 16);
  const Packed packed = packed_for(call, space, K, N, [&](float* to) {
    if (lined) lines.order(workers, weight, N, ordered);
    pack(workers, View::row_major(lined ? ordered : weight, N), K, N, to);
  });
  space += Packed::floats(K, N);
  if (lined) {
    LineProduct{lines, packed, space}.run(workers, epilogue);
  } else {
    PatchProduct{patches, packed, space}.run(workers, epilogue);
  }
}

}  // namespace

extern const Kernel conv2d = {"conv2d",
                       {"x", "weight", "bias", "shift", "residual", "stages", "y"},
                       {{"stride", nullptr},
                        {"padding", nullptr},
                        {"upsample", nullptr},
                        {"activation", activation_names},
                        {"beta", nullptr},
                        {"xLayout", layout_names},
                        {"yLayout", layout_names},
                        {"xFirst", nullptr},
                        {"yFirst", nullptr},
                        {"shiftFirst", nullptr},
                        {"residualFirst", nullptr},
                        {"scale", nullptr},
                        {"combine", combine_names},
                        {"coefficients", nullptr},
                        {"variant", convolution_variants}},
                       run,
                       scratch,
                       prepared};

}  // namespace LFM_TARGET
}  // namespace lfm
