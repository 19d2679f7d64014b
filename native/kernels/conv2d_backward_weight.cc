/**
 * dweight = Σ patchesᵀ dy, dbias = Σ dy, dshift = Σ dy of each picture; contract and reference in
 * src/kernels/conv2d_backward_weight.ts. The pictures are cut into *slices*, whose number depends on the shapes alone; each
 * slice has its own sums, made strip by strip of gathered patches and packed dy, and the slices are added in order.
 */

#include "kernels/epilogue.h"
#include "kernels/kernels.h"
#include "patches.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { X, DY, DWEIGHT, DBIAS, DSHIFT };
enum { STRIDE, PADDING, UPSAMPLE, X_LAYOUT, DY_LAYOUT, X_FIRST, DY_FIRST, SHIFT_FIRST };

/** Rows of a strip, at most: with the sums they stay in the second-level cache. */
constexpr int64_t STRIP_ROWS = PANEL < 24 ? 8 * PANEL : 4 * PANEL;

struct Plan {
  Pictures x, dy;
  int64_t kh, kw, C, N, K, area;
  int64_t slices = 1;
  /** floats of one slice's product, of the sums of one picture, of one worker's strips */
  int64_t slice, picture, space;

  explicit Plan(const Call& call)
      : x(Pictures::of(call[X], call.choice(X_LAYOUT), call.choice(X_FIRST))),
        dy(Pictures::of(call[DY], call.choice(DY_LAYOUT), call.choice(DY_FIRST))) {
    const int64_t* const s = call[DWEIGHT].shape;
    kh = s[0], kw = s[1], C = s[2], N = s[3], K = kh * kw * C, area = dy.H * dy.W;
    while (slices < 16 && 2 * slices <= dy.B && dy.B * area >= 2048 * slices) slices *= 2;
    slice = Strip::floats(K, N);
    picture = round_up(N, PANEL);
    space = Strip::floats(STRIP_ROWS, K) + Strip::floats(STRIP_ROWS, N) + picture;
  }
  int64_t scratch(int workers) const { return slices * slice + dy.B * picture + workers * space; }
};

int64_t scratch(const Call& call, int workers) { return Plan(call).scratch(workers); }

/** Rows of dy from `row` on as a strip. */
void pack_dy(const Plan& is, int64_t row, const Strip& out) {
  if (is.dy.channel == 1) return pack_strip(View::row_major(is.dy.data + row * is.dy.pixel, is.dy.pixel), is.N, out);
  PixelCounter at(row, is.area);
  for (int64_t r = 0; r < out.rows; r++, at.next()) {
    const float* const from = is.dy.data + at.b * is.dy.picture + at.position;
    for (int64_t n = 0; n < is.N; n++) *out.at(r, n) = from[n * is.dy.channel];
  }
}

void run(const Call& call, Workers& workers) {
  const Plan is(call);
  float* const sums = call.scratch;
  float* const pictures = sums + is.slices * is.slice;
  float* const spaces = pictures + is.dy.B * is.picture;
  const Patches patches{is.x, is.C, is.kh, is.kw, is.dy.H, is.dy.W, call.choice(STRIDE),
                        -call.choice(PADDING), -call.choice(PADDING), 1, call.choice(UPSAMPLE) == 2};

  parallel(workers, is.slices, [&](int64_t index, int worker) {
    const int64_t begin = index * is.dy.B / is.slices * is.area, end = (index + 1) * is.dy.B / is.slices * is.area;
    float* const space = spaces + worker * is.space;
    const int64_t strips = divide_up(end - begin, STRIP_ROWS);
    for (int64_t i = 0; i < strips; i++) {
      const int64_t row = begin + i * (end - begin) / strips;
      const int64_t rows = begin + (i + 1) * (end - begin) / strips - row;
      const Strip left{space, rows}, right{space + Strip::floats(STRIP_ROWS, is.K), rows};
      patches.pack(row, left);
      pack_dy(is, row, right);
      strip_reduction(left, is.K, right, is.N, i > 0, sums + index * is.slice);
      // the sums of dy, picture by picture
      float* const unused = space + is.space - is.picture;
      for (int64_t r = 0; r < rows;) {
        const int64_t b = (row + r) / is.area, start = (row + r) % is.area;
        const int64_t count = least(rows - r, is.area - start);
        for (int64_t n = 0; n < is.N; n += PANEL) {
          add_columns(right.panel(n) + r * PANEL, PANEL, count, round_up(least<int64_t>(PANEL, is.N - n), W), nullptr,
                      start > 0, pictures + b * is.picture + n, unused);
        }
        r += count;
      }
    }
  });

  float* const dweight = call[DWEIGHT].floats();
  parallel_ranges(workers, is.K, 16, [&](int64_t first, int64_t last) {
    for (int64_t n = 0; n < is.N; n += W) {
      const int lanes = static_cast<int>(least<int64_t>(W, is.N - n));
      for (int64_t k = first; k < last; k++) {
        const float* from = sums + n / PANEL * PANEL * is.K + k * PANEL + n % PANEL;
        V sum = load(from);
        for (int64_t s = 1; s < is.slices; s++) sum = sum + load(from += is.slice);
        store_lanes(dweight + k * is.N + n, sum, lanes);
      }
    }
  });
  for (int64_t n = 0; n < is.N; n += W) {
    const int lanes = static_cast<int>(least<int64_t>(W, is.N - n));
    V sum = zero();
    for (int64_t b = 0; b < is.dy.B; b++) {
      const V own = load(pictures + b * is.picture + n);
      sum = sum + own;
      if (!call[DSHIFT].given()) continue;
      store_lanes(call[DSHIFT].floats() + b * call[DSHIFT].shape[1] + call.choice(SHIFT_FIRST) + n, own, lanes);
    }
    store_lanes(call[DBIAS].floats() + n, sum, lanes);
  }
}

}  // namespace

const Kernel conv2d_backward_weight = {"conv2d_backward_weight",
                                       {"x", "dy", "dweight", "dbias", "dshift"},
                                       {{"stride", nullptr},
                                        {"padding", nullptr},
                                        {"upsample", nullptr},
                                        {"xLayout", layout_names},
                                        {"dyLayout", layout_names},
                                        {"xFirst", nullptr},
                                        {"dyFirst", nullptr},
                                        {"shiftFirst", nullptr}},
                                       run,
                                       scratch};

}  // namespace LFM_TARGET
}  // namespace lfm
