/**
 * dweight = Σ patchesᵀ dy, dbias = Σ dy, dshift = Σ dy of each picture; contract and reference in
 * src/kernels/conv2d_backward_weight.ts. The pictures are cut into *slices*, whose number depends on the shapes alone; each
 * slice has its own sums, and the slices are added in order.
 *
 * Where channels fill panels and the stride is 1, some lines of a picture at a time are packed as in lines.h, and those of
 * dy beside them: then each tap is one reduction over all of these pixels, whose left operand is the lines, shifted by the
 * tap. Else patches are gathered, strip by strip. By Winograd (winograd.h) a slice sums the products of its tiles, block
 * by block, and then makes taps of them.
 */

#include "lines.h"
#include "simd/lanes.h"
#include "simd/simd.h"
#include "strip.h"
#include "winograd.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { X, DY, DWEIGHT, DBIAS, DSHIFT };
enum { STRIDE, PADDING, UPSAMPLE, X_LAYOUT, DY_LAYOUT, X_FIRST, DY_FIRST, SHIFT_FIRST, VARIANT };

/** Rows of a strip, at most: with the sums they stay in the second-level cache. */
constexpr int64_t STRIP_ROWS = PANEL < 24 ? 8 * PANEL : 4 * PANEL;

/** About how many pixels of lines are packed at a time: a panel of dy's stays in the first-level cache. */
constexpr int64_t CHUNK_PIXELS = 256;

/** Tiles of a block: between two of these, products ask for what the next one reads. */
constexpr int64_t TILE_BLOCK = divide_up(32, FETCH_DEPTH) * FETCH_DEPTH;

struct Plan {
  Pictures x, dy;
  int64_t kh, kw, C, N, K, area;
  Patches patches;
  enum { STRIPS, LINES, TILES } way;
  /** pixels of a packed line, and lines of dy in a chunk */
  int64_t length = 0, chunk = 0;
  /** tiles of a block */
  int64_t block = 0;
  int64_t slices = 1;
  /** floats of one slice's product, of the sums of one picture, of one worker's strips or lines */
  int64_t slice, picture, space;

  explicit Plan(const Call& call)
      : x(Pictures::of(call[X], call.choice(X_LAYOUT), call.choice(X_FIRST))),
        dy(Pictures::of(call[DY], call.choice(DY_LAYOUT), call.choice(DY_FIRST))) {
    const int64_t* const s = call[DWEIGHT].shape;
    kh = s[0], kw = s[1], C = s[2], N = s[3], K = kh * kw * C, area = dy.H * dy.W;
    const int64_t padding = call.choice(PADDING);
    patches = {x, C, kh, kw, dy.H, dy.W, call.choice(STRIDE), -padding_along_y(kh, kw, padding), -padding, 1,
               call.choice(UPSAMPLE) == 2};
    way = call.choice(VARIANT) == WINOGRAD ? TILES : Lines::fit(patches) && patches.step == 1 ? LINES : STRIPS;
    while (slices < 16 && 2 * slices <= dy.B && dy.B * area >= 2048 * slices) slices *= 2;
    slice = Strip::floats(K, N);
    picture = round_up(N, PANEL);
    if (way == TILES) {
      block = TILE_BLOCK;
      space = round_up(most(C, N), PANEL) + PRODUCTS * (left_stride() + right_stride() + product_stride());
    } else if (way == LINES) {
      length = Lines(patches).length;
      chunk = least(dy.H, most<int64_t>(1, CHUNK_PIXELS / dy.W));
      space = lines_floats() + Strip::floats(chunk * dy.W, N) + picture;
    } else {
      space = Strip::floats(STRIP_ROWS, K) + Strip::floats(STRIP_ROWS, N) + picture;
    }
  }
  /** of the lines of x that a chunk needs; the last tap reads beyond them by a tap's reach */
  int64_t lines_floats() const { return C / PANEL * (chunk + kh - 1) * length * PANEL; }
  /** of a block of tiles of x, of dy, and of one product's sums */
  int64_t left_stride() const { return Strip::floats(block, C) + 16; }
  int64_t right_stride() const { return Strip::floats(block, N) + 16; }
  int64_t product_stride() const { return Strip::floats(C, N) + 16; }
  /** Slices in progress at a time. */
  int64_t spaces(int workers) const { return least<int64_t>(workers, slices); }
  int64_t scratch(int workers) const { return slices * slice + dy.B * picture + spaces(workers) * space; }
};

int64_t scratch(const Call& call, int workers) { return Plan(call).scratch(workers); }

/** Rows of dy from `row` on into the first rows of a strip that has `pitch` of them. */
void pack_dy(const Plan& is, int64_t row, const Strip& rows, int64_t pitch) {
  PixelCounter at(row, is.area);
  for (int64_t r = 0; r < rows.rows; r++, at.next()) {
    const float* const from = is.dy.data + at.b * is.dy.picture + at.position * is.dy.pixel;
    for (int64_t n = 0; n < is.N; n += PANEL) {
      float* const to = rows.data + n * pitch + r * PANEL;
      const int64_t width = least<int64_t>(PANEL, is.N - n);
      if (is.dy.channel == 1) {
        for (int64_t v = 0; v < width; v += W) {
          const int lanes = static_cast<int>(least<int64_t>(W, width - v));
          store(to + v, lanes == W ? load(from + n + v) : load_first(from + n + v, lanes));
        }
      } else {
        for (int64_t v = 0; v < width; v++) to[v] = from[(n + v) * is.dy.channel];
      }
    }
  }
}
void pack_dy(const Plan& is, int64_t row, const Strip& out) { pack_dy(is, row, out, out.rows); }

/** Adds rows [r, r + count) of a strip of dy to the sums of a picture. */
void add_rows(const Plan& is, const Strip& dy, int64_t r, int64_t count, bool accumulate, float* sums, float* unused) {
  for (int64_t n = 0; n < is.N; n += PANEL) {
    add_columns(dy.panel(n) + r * PANEL, PANEL, count, round_up(least<int64_t>(PANEL, is.N - n), W), nullptr, accumulate,
                sums + n, unused);
  }
}

/** A slice's sums, strip by strip of gathered patches: pictures [first, last). */
void sum_strips(const Plan& is, int64_t first, int64_t last, float* space, float* sums, float* pictures) {
  const int64_t begin = first * is.area, end = last * is.area;
  const int64_t strips = divide_up(end - begin, STRIP_ROWS);
  float* const unused = space + is.space - is.picture;
  for (int64_t i = 0; i < strips; i++) {
    const int64_t row = begin + i * (end - begin) / strips;
    const int64_t rows = begin + (i + 1) * (end - begin) / strips - row;
    const Strip left{space, rows}, right{space + Strip::floats(STRIP_ROWS, is.K), rows};
    is.patches.pack(row, left);
    pack_dy(is, row, right);
    strip_reduction(left, is.K, right, is.N, i > 0, sums);
    // the sums of dy, picture by picture
    for (int64_t r = 0; r < rows;) {
      const int64_t b = (row + r) / is.area, start = (row + r) % is.area;
      const int64_t count = least(rows - r, is.area - start);
      add_rows(is, right, r, count, start > 0, pictures + b * is.picture, unused);
      r += count;
    }
  }
}

/** A slice's sums, by lines: pictures [first, last). */
void sum_lines(const Plan& is, int64_t first, int64_t last, float* space, float* sums, float* pictures) {
  const Lines lines(is.patches);
  float* const dy_space = space + is.lines_floats();
  float* const unused = space + is.space - is.picture;
  const int64_t blocks = divide_up(PANEL, BLOCK_ROWS);
  for (int64_t b = first; b < last; b++) {
    const float* const picture = is.x.data + b * is.x.picture;
    for (int64_t y = 0; y < is.dy.H; y += is.chunk) {
      const int64_t count = least(is.chunk, is.dy.H - y);
      const int64_t packed = count + is.kh - 1, panel_floats = packed * is.length * PANEL;
      for (int64_t line = 0; line < packed; line++) {
        lines.pack(picture, y + line + is.patches.offset_y, space + line * is.length * PANEL, panel_floats);
      }
      const Strip right{dy_space, count * is.dy.W};
      pack_dy(is, (b * is.dy.H + y) * is.dy.W, right);
      add_rows(is, right, 0, right.rows, y > 0, pictures + b * is.picture, unused);
      const bool accumulate = b > first || y > 0;
      // what the next chunk is packed from, of the next picture where this one ends
      Fetch fetch;
      const bool ends = y + count == is.dy.H;
      if (!ends || b + 1 < last) {
        const int64_t next = ends ? 0 : y + count, lines_of_dy = least(is.chunk, is.dy.H - next);
        const int64_t already = ends ? is.patches.offset_y : next + is.kh - 1 + is.patches.offset_y;
        const int64_t until = next + lines_of_dy + is.kh - 1 + is.patches.offset_y;
        lines.announce(is.x.data + (b + ends) * is.x.picture, already, until, fetch);
        fetch.add(is.dy.data + ((b + ends) * is.area + next * is.dy.W) * is.dy.pixel, lines_of_dy * is.dy.W * is.dy.pixel);
        fetch.spread(divide_up(is.N, PANEL) * is.kh * is.kw * lines.panels * blocks * count);
      }
      for (int64_t n = 0; n < is.N; n += PANEL) {
        const int vectors = static_cast<int>(divide_up(least<int64_t>(PANEL, is.N - n), W));
        float* const own = sums + n * is.K;
        for (int64_t i = 0; i < is.kh; i++) {
          for (int64_t j = 0; j < is.kw; j++) {
            for (int64_t panel = 0; panel < lines.panels; panel++) {
              const float* const left = space + panel * panel_floats + (i * is.length + j) * PANEL;
              float* const to = own + ((i * is.kw + j) * is.C + panel * PANEL) * PANEL;
              for (int64_t block = 0; block < blocks; block++) {
                const int64_t m = block * PANEL / blocks, height = (block + 1) * PANEL / blocks - m;
                micro_lines[vectors - 1][height - 1](count, is.dy.W, left + m, is.length * PANEL, right.panel(n),
                                                     accumulate, to + m * PANEL, fetch);
              }
            }
          }
        }
      }
    }
  }
}

/** A slice's sums, tile by tile: pictures [first, last). */
void sum_tiles(const Plan& is, int64_t first, int64_t last, float* space, float* sums, float* pictures) {
  const Tiles left(is.patches);
  const Patches pixels{is.dy, is.N, 1, 1, is.dy.H, is.dy.W, 1, 0, 0, 1, false};
  const Tiles right(pixels);
  float* const left_space = space + round_up(most(is.C, is.N), PANEL);
  float* const right_space = left_space + PRODUCTS * is.left_stride();
  float* const products = right_space + PRODUCTS * is.right_stride();
  memset(space, 0, static_cast<size_t>(left_space - space) * sizeof(float));
  // whole rows of tiles, where these are short: memory is read in lines
  const int64_t unit = left.across <= is.block ? left.across : 1;
  const int64_t area = left.down * left.across, units = (last - first) * area / unit;
  const int64_t blocks = divide_up(units, is.block / unit);
  const auto start = [&](int64_t block) { return first * area + block * units / blocks * unit; };
  for (int64_t i = 0; i < blocks; i++) {
    const int64_t tile = start(i), rows = start(i + 1) - tile;
    left.pack(tile, rows, space, left_space, is.left_stride());
    right.pack_gradient(tile, rows, space, right_space, is.right_stride(), pictures, is.picture);
    Fetch fetch;
    if (unit > 1 && i + 1 < blocks) {
      left.announce(start(i + 1), start(i + 2), fetch);
      right.announce(start(i + 1), start(i + 2), fetch);
      fetch.spread(PRODUCTS * divide_up(is.N, PANEL) * divide_up(is.C, BLOCK_ROWS) * (rows / FETCH_DEPTH));
    }
    reduce_tiles(left_space, is.left_stride(), is.C, right_space, is.right_stride(), is.N, rows, i > 0, products,
                 is.product_stride(), fetch);
  }
  finish_taps(products, is.product_stride(), is.C, is.N, sums);
}

void run(const Call& call, Workers& workers) {
  const Plan is(call);
  float* const sums = call.scratch;
  float* const pictures = sums + is.slices * is.slice;
  float* const spaces = pictures + is.dy.B * is.picture;
  const bool few = is.slices < workers.count;
  parallel(workers, is.slices, [&](int64_t index, int worker) {
    const int64_t first = index * is.dy.B / is.slices, last = (index + 1) * is.dy.B / is.slices;
    float* const space = spaces + (few ? index : worker) * is.space;
    constexpr decltype(&sum_strips) ways[] = {sum_strips, sum_lines, sum_tiles};
    ways[is.way](is, first, last, space, sums + index * is.slice, pictures);
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

extern const Kernel conv2d_backward_weight = {"conv2d_backward_weight",
                                       {"x", "dy", "dweight", "dbias", "dshift"},
                                       {{"stride", nullptr},
                                        {"padding", nullptr},
                                        {"upsample", nullptr},
                                        {"xLayout", layout_names},
                                        {"dyLayout", layout_names},
                                        {"xFirst", nullptr},
                                        {"dyFirst", nullptr},
                                        {"shiftFirst", nullptr},
                                        {"variant", convolution_variants}},
                                       run,
                                       scratch};

}  // namespace LFM_TARGET
}  // namespace lfm
