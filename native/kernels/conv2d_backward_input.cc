/**
 * dx = scale·(convᵀ dy) ⊙ act′(saved) + add; contract and reference in src/kernels/conv2d_backward_input.ts. An input pixel
 * is a row, its patch is of dy. With an input that was enlarged by two, a pixel's patch is that of the 2 × 2 it became:
 * the taps that fall on one pixel of dy are one, their weights added up.
 */

#include "kernels/epilogue.h"
#include "lines.h"
#include "winograd.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { DY, WEIGHT, SAVED, ADD, DX };
enum {
  STRIDE,
  PADDING,
  UPSAMPLE,
  ACTIVATION,
  BETA,
  DY_LAYOUT,
  DX_LAYOUT,
  DY_FIRST,
  DX_FIRST,
  SAVED_FIRST,
  ADD_FIRST,
  SCALE,
  VARIANT
};

struct InputEpilogue {
  Pictures dx, saved, add;
  int activation;
  float beta, scale;

  /** What the pixels from `row` on will touch. */
  LFM_INLINE void announce(int64_t row, int64_t rows, Fetch& fetch) const {
    if (dx.channel == 1) fetch.add(dx.data + row * dx.pixel, rows * dx.pixel);
    if (saved.data) fetch.add(saved.data + row * saved.pixel, rows * saved.pixel);
    if (add.data) fetch.add(add.data + row * add.pixel, rows * add.pixel);
  }

  template <class Act>
  LFM_INLINE void apply(const float* tile, int stride, int64_t row, int rows, int64_t column, int width) const {
    const V sharpness = set1(beta), factor = set1(scale);
    PixelCounter at(row, dx.H * dx.W);
    for (int r = 0; r < rows; r++, at.next()) {
      float* const to = dx.data + at.b * dx.picture + at.position * dx.pixel + column * dx.channel;
      const float* const of = saved.data ? saved.data + (row + r) * saved.pixel + column : nullptr;
      const float* const more = add.data ? add.data + (row + r) * add.pixel + column : nullptr;
      for_vectors(width, [&](int v, int lanes) __attribute__((always_inline)) {
        V value = load(tile + r * stride + v) * factor;
        if (of) value = value * Act::derivative(load_lanes(of + v, lanes), sharpness);
        if (more) value = value + load_lanes(more + v, lanes);
        if (dx.channel == 1) return store_lanes(to + v, value, lanes);
        float values[W];
        store(values, value);
        for (int lane = 0; lane < lanes; lane++) to[(v + lane) * dx.channel] = values[lane];
      });
    }
  }

  LFM_INLINE void operator()(const float* tile, int stride, int64_t row, int rows, int64_t column, int width) const {
    with_activation(saved.data ? activation : 0, [&](auto act) {
      apply<decltype(act)>(tile, stride, row, rows, column, width);
    });
  }
};

struct Sizes {
  int64_t kh, kw, C, N, up;
  /** taps of a patch of dy, along each direction */
  int64_t taps_y, taps_x;

  explicit Sizes(const Call& call) {
    const int64_t* const s = call[WEIGHT].shape;
    kh = s[0], kw = s[1], C = s[2], N = s[3], up = call.choice(UPSAMPLE);
    taps_y = kh + up - 1;
    taps_x = kw + up - 1;
  }
  int64_t depth() const { return taps_y * taps_x * N; }
};

Patches patches_of(const Call& call, const Sizes& is) {
  const Pictures dx = Pictures::of(call[DX], call.choice(DX_LAYOUT), call.choice(DX_FIRST));
  const Pictures dy = Pictures::of(call[DY], call.choice(DY_LAYOUT), call.choice(DY_FIRST));
  const int64_t padding = call.choice(PADDING);
  const int64_t offset_y = padding_along_y(is.kh, is.kw, padding) - is.kh + 1;
  return {dy,    is.N, is.taps_y, is.taps_x, dx.H, dx.W, is.up, offset_y, padding - is.kw + 1, call.choice(STRIDE), false};
}

/** Whether lines can be packed, and are worth it. */
bool by_lines(const Sizes& is, const Patches& patches) {
  return Lines::fit(patches) && !Packed{nullptr, is.depth(), is.C}.dots();
}

int64_t scratch(const Call& call, int workers) {
  const Sizes is(call);
  const Patches patches = patches_of(call, is);
  const int64_t weights = round_up(is.depth() * is.C, 16);
  if (call.choice(VARIANT) == WINOGRAD) return weights + TileProduct::scratch(Tiles(patches), is.C, workers);
  const int64_t product = by_lines(is, patches) ? weights + LineProduct::scratch(Lines(patches), workers)
                                                : PatchProduct::scratch(is.depth(), is.C, workers);
  return weights + Packed::floats(is.depth(), is.C) + product;
}

/** The weight as the patches of dy need it: [taps_y, taps_x, N, C]. */
void turn(const Call& call, Workers& workers, const Sizes& is, float* out) {
  const float* const weight = call[WEIGHT].floats();
  parallel(workers, is.taps_y * is.taps_x, [&](int64_t tap, int) {
    float* const to = out + tap * is.N * is.C;
    const int64_t p = tap / is.taps_x, q = tap % is.taps_x;
    bool begun = false;
    // an enlarged pixel's part (a, b) meets dy under kernel tap (i, j) where i + p = kh − 1 + a
    for (int64_t a = 0; a < is.up; a++) {
      for (int64_t b = 0; b < is.up; b++) {
        const int64_t i = is.kh - 1 + a - p, j = is.kw - 1 + b - q;
        if (i < 0 || i >= is.kh || j < 0 || j >= is.kw) continue;
        const float* const from = weight + (i * is.kw + j) * is.C * is.N;
        for (int64_t c = 0; c < is.C; c++) {
          for (int64_t n = 0; n < is.N; n++) {
            const float value = from[c * is.N + n];
            to[n * is.C + c] = begun ? to[n * is.C + c] + value : value;
          }
        }
        begun = true;
      }
    }
  });
}

void run(const Call& call, Workers& workers) {
  const Sizes is(call);
  const Patches patches = patches_of(call, is);
  float* space = call.scratch;
  turn(call, workers, is, space);
  const float* weight = space;
  space += round_up(is.depth() * is.C, 16);
  const auto window = [&](int operand, int first) {
    return call[operand].given() ? Pictures::of(call[operand], NHWC, call.choice(first)) : Pictures{};
  };
  const InputEpilogue epilogue{Pictures::of(call[DX], call.choice(DX_LAYOUT), call.choice(DX_FIRST)),
                               window(SAVED, SAVED_FIRST),
                               window(ADD, ADD_FIRST),
                               call.choice(ACTIVATION),
                               call.number(BETA),
                               call.number(SCALE)};
  if (call.choice(VARIANT) == WINOGRAD) {
    const Tiles tiles(patches);
    const TileWeights transformed = TileWeights::of(workers, weight, is.N, is.C, space);
    return TileProduct{tiles, transformed, space + TileWeights::floats(is.N, is.C)}.run(workers, epilogue);
  }
  const Lines lines(patches);
  const bool lined = by_lines(is, patches);
  if (lined) {
    lines.order(workers, weight, is.C, space);
    weight = space;
    space += round_up(is.depth() * is.C, 16);
  }
  const Packed packed = pack(workers, View::row_major(weight, is.C), is.depth(), is.C, space);
  space += Packed::floats(is.depth(), is.C);
  if (lined) {
    LineProduct{lines, packed, space}.run(workers, epilogue);
  } else {
    PatchProduct{patches, packed, space}.run(workers, epilogue);
  }
}

}  // namespace

extern const Kernel conv2d_backward_input = {"conv2d_backward_input",
                                      {"dy", "weight", "saved", "add", "dx"},
                                      {{"stride", nullptr},
                                       {"padding", nullptr},
                                       {"upsample", nullptr},
                                       {"activation", activation_names},
                                       {"beta", nullptr},
                                       {"dyLayout", layout_names},
                                       {"dxLayout", layout_names},
                                       {"dyFirst", nullptr},
                                       {"dxFirst", nullptr},
                                       {"savedFirst", nullptr},
                                       {"addFirst", nullptr},
                                       {"scale", nullptr},
                                       {"variant", convolution_variants}},
                                      run,
                                      scratch};

}  // namespace LFM_TARGET
}  // namespace lfm
