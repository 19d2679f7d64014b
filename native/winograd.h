/**
 * Convolutions 3 × 3 of stride 1 by Winograd's F(4 × 4, 3 × 3) (Lavin and Gray, arXiv 1509.09308): of a *tile* of 4 × 4 output
 * pixels, the 6 × 6 pixels d under its taps and the 3 × 3 taps g are evaluated as polynomials at the points 0, ±a, ±b and ∞
 * along each direction, multiplied there, and interpolated:
 *
 *     y = Aᵀ [Σ_c (G g Gᵀ) ⊙ (Bᵀ d B)] A
 *
 * That is 36 products for 16 pixels; tap by tap they are 144. For all tiles together it is 36 matrix products
 * [tiles, C] × [C, N], one for each pair of points. A thread takes a block of tiles through all of it: transformed pixels
 * and products stay in its second-level cache, and nothing as large as a picture is ever written to memory. A tile's result depends
 * on no other tile. The gradient of the weight is the transpose of the same, summed over the tiles:
 *
 *     dg = Gᵀ [Σ_tiles (Bᵀ d B) ⊙ (A dy Aᵀ)] G
 *
 * a = 5/8 and b = 3/2 have the least error: half of that of 1 and 2, which are usual (docs/notes/pictures.md).
 */
#pragma once

#include "patches.h"

namespace lfm {
namespace LFM_TARGET {

constexpr const char* convolution_variants[] = {"direct", "winograd", nullptr};
enum { DIRECT, WINOGRAD };

/** Pixels of a tile along a direction, points there, and products of a tile. */
constexpr int TILE = 4, POINTS = TILE + 2, PRODUCTS = POINTS * POINTS;
/** Tiles beside one another that are finished together. */
constexpr int64_t MOST_RUN = 8;

/** The tiles of the output of some patches, all pictures' one after another. */
struct Tiles {
  const Patches& of;
  int64_t down, across, count;

  explicit Tiles(const Patches& patches)
      : of(patches), down(divide_up(patches.outH, TILE)), across(divide_up(patches.outW, TILE)),
        count(patches.from.B * down * across) {}

  /** Where the lines of a row of tiles begin, for the first tile there: a pixel of the output. */
  int64_t pixel(int64_t tile) const {
    const int64_t row = tile / across;
    return (row / down * of.outH + row % down * TILE) * of.outW;
  }
  /** About the memory that the rows of tiles [first, last) are made from. */
  void announce(int64_t first, int64_t last, Fetch& fetch) const {
    if (of.halved) return;
    fetch.add(of.from.data + pixel(first) * of.from.pixel, (pixel(last) - pixel(first)) * of.from.pixel);
  }

  /**
   * Bᵀ d B of tiles [first, first + rows): for each product a strip of `rows` rows and C columns, `stride` floats from the
   * last. `zeros` are C of them, for pixels beyond the edge.
   */
  void pack(int64_t first, int64_t rows, const float* zeros, float* to, int64_t stride) const;

  /** A dy Aᵀ in the same way, where the patches have no taps but the pixel itself; dy is added up in sums[picture·pitch + n]. */
  void pack_gradient(int64_t first, int64_t rows, const float* zeros, float* to, int64_t stride, float* sums,
                     int64_t pitch) const;
};

/** Transformed weights: for each product a packed right operand [C, N], `stride` floats apart. */
struct TileWeights {
  const float* data;
  int64_t C, N;

  // a line more than what is stored, so that the same element of all products does not fall on the same lines of a cache
  static int64_t stride(int64_t C, int64_t N) { return C * round_up(N, W) + 16; }
  static int64_t floats(int64_t C, int64_t N) { return round_up(PRODUCTS * stride(C, N), 16); }
  /** of [3, 3, C, N] */
  static TileWeights of(Workers& workers, const float* weight, int64_t C, int64_t N, float* out);
};

/** Products of `rows` tiles with columns [column, column + PANEL) of the weights: of each product a tile after another. */
void multiply_tiles(const float* tiles, int64_t tiles_stride, int64_t rows, const TileWeights& weights, int64_t column,
                    float* out, int64_t out_stride, Fetch& fetch);

/** Sums over `rows` tiles of left [C] and right [N], as strips of C rows, set or added to; `stride`s between products. */
void reduce_tiles(const float* left, int64_t left_stride, int64_t C, const float* right, int64_t right_stride, int64_t N,
                  int64_t rows, bool accumulate, float* out, int64_t out_stride, Fetch& fetch);

/** Of tiles [row, row + run) of products, the pixels as TILE lines of run·TILE pixels of `vectors` vectors. */
void finish_tiles(const float* products, int64_t stride, int64_t row, int64_t run, int vectors, float* lines);

/** Gᵀ m G of products that lie as strips of C rows and N columns, to the nine taps, in a strip of 9·C rows. */
void finish_taps(const float* products, int64_t stride, int64_t C, int64_t N, float* taps);

/** Convolution of all tiles by all threads; the epilogue counts pixels from the first of all. */
struct TileProduct {
  const Tiles& tiles;
  TileWeights b;
  float* spaces;

  /** How a block of tiles lies in a worker's memory. */
  struct Space {
    /** tiles that stay together, whole rows of them where these are short, and tiles of a block */
    int64_t unit, rows;
    int64_t zeros, tiles_stride, products_stride, lines;

    /** Two tiles of registers, or what fills the second-level cache: no result depends on it. */
    Space(int64_t C, int64_t across) {
      const int64_t tile = PRODUCTS * (round_up(C, PANEL) + PANEL);
      rows = most<int64_t>(1, least<int64_t>(2 * BLOCK_ROWS, caches().l2 / 4 / tile));
      unit = across <= rows ? across : 1;
      rows -= rows % unit;
      zeros = round_up(C, PANEL);
      tiles_stride = Strip::floats(rows, C) + 16;
      products_stride = rows * PANEL + 16;
      lines = MOST_RUN * TILE * TILE * PANEL;
    }
    int64_t floats() const { return zeros + PRODUCTS * (tiles_stride + products_stride) + lines; }
  };
  /** floats that the weights and all workers need */
  static int64_t scratch(const Tiles& tiles, int64_t N, int workers) {
    const int64_t C = tiles.of.C;
    return TileWeights::floats(C, N) + workers * Space(C, tiles.across).floats();
  }

  template <class Epilogue>
  LFM_INLINE void run(Workers& workers, const Epilogue& epilogue) const {
    const Patches& p = tiles.of;
    const Space space(b.C, tiles.across);
    const int64_t units = tiles.count / space.unit;
    const int64_t tasks = least(round_up(divide_up(units, space.rows / space.unit), workers.count), units);
    const auto start = [&](int64_t task) { return task * units / tasks * space.unit; };
    parallel(workers, tasks, [&](int64_t task, int worker) {
      const int64_t first = start(task), rows = start(task + 1) - first;
      float* const zeros = spaces + worker * space.floats();
      float* const left = zeros + space.zeros;
      float* const products = left + PRODUCTS * space.tiles_stride;
      float* const lines = products + PRODUCTS * space.products_stride;
      memset(zeros, 0, static_cast<size_t>(space.zeros) * sizeof(float));
      tiles.pack(first, rows, zeros, left, space.tiles_stride);
      Fetch fetch;
      if (space.unit > 1) {
        // whole lines: those that this block writes, and those that the thread's next one probably reads
        epilogue.announce(tiles.pixel(first), tiles.pixel(first + rows) - tiles.pixel(first), fetch);
        const int64_t later = least(task + 1, tasks - 1);
        tiles.announce(start(later), start(later + 1), fetch);
        fetch.spread(PRODUCTS * divide_up(b.N, PANEL) * divide_up(rows, BLOCK_ROWS) * (b.C / FETCH_DEPTH));
      }
      for (int64_t column = 0; column < b.N; column += PANEL) {
        const int width = static_cast<int>(least<int64_t>(PANEL, b.N - column));
        const int vectors = (width + W - 1) / W;
        multiply_tiles(left, space.tiles_stride, rows, b, column, products, space.products_stride, fetch);
        for (int64_t row = 0; row < rows;) {
          const int64_t line = (first + row) / tiles.across, x = (first + row) % tiles.across;
          const int64_t run = least(least(tiles.across - x, rows - row), MOST_RUN);
          finish_tiles(products, space.products_stride, row, run, vectors, lines);
          const int64_t picture = line / tiles.down, y = line % tiles.down * TILE;
          for (int64_t i = 0; i < least<int64_t>(TILE, p.outH - y); i++) {
            epilogue(lines + i * run * TILE * vectors * W, vectors * W, (picture * p.outH + y + i) * p.outW + x * TILE,
                     static_cast<int>(least(run * TILE, p.outW - x * TILE)), column, width);
          }
          row += run;
        }
      }
    });
  }
};

}  // namespace LFM_TARGET
}  // namespace lfm
