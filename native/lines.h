/**
 * Convolutions line by line, for pictures whose channels fill whole panels: what patches.h gathers for every pixel and tap is
 * packed once here. A *line* of the input lies as [panel of channels][pixel][PANEL], so that the same channels under the next
 * tap to the right are one pixel further on: a tile of consecutive output pixels reads each tap as rows PANEL apart, and
 * nothing is copied for a tap. The lines that the taps of an output line need are kept while the next output lines use them.
 *
 * Where the taps of neighbouring output pixels are `step` = 2 pixels apart, even and odd pixels of a line are stored apart
 * (*classes*), so that consecutive output pixels again read consecutive pixels of a class. The depth of the product is
 * ordered by line, panel of channels, class and tap.
 */
#pragma once

#include "patches.h"

namespace lfm {
namespace LFM_TARGET {

/** A part of the depth whose panels follow one another by one pixel: `panels` panels from a on, the depth from k on. */
struct Segment {
  const float* a;
  int64_t k;
  int64_t panels;
};
constexpr int64_t MOST_SEGMENTS = 512;

/** c[rows × vectors·W] = Σ over segments, a's rows PANEL apart and `shift` floats on, b packed, its depth front to back. */
typedef void (*SegmentKernel)(const Segment* segments, int64_t count, int64_t shift, const float* b, float* c,
                              Fetch& fetch);
extern const SegmentKernel micro_segments[BLOCK_VECTORS][BLOCK_ROWS];

/**
 * c[m·PANEL + n] = or += Σ a[m] b[n] over `lines` lines of `width` pixels: those of a line PANEL apart, the lines of a
 * `pitch` apart, those of b without a gap.
 */
typedef void (*LineReduction)(int64_t lines, int64_t width, const float* a, int64_t pitch, const float* b,
                              bool accumulate, float* c, Fetch& fetch);
extern const LineReduction micro_lines[BLOCK_VECTORS][BLOCK_ROWS];

LFM_INLINE int64_t floor_half(int64_t at, int64_t step) { return step == 1 ? at : at >> 1; }

/** How the lines of patches lie. */
struct Lines {
  const Patches& of;
  int64_t panels;
  /** pixel of a class that is at the start of its buffer, and pixels there */
  int64_t first, length;

  explicit Lines(const Patches& patches) : of(patches), panels(patches.C / PANEL) {
    first = floor_half(of.offset_x, of.step);
    length = of.outW + floor_half(of.kw - 1 + of.offset_x, of.step) - first;
  }
  static bool fit(const Patches& patches) {
    return patches.C % PANEL == 0 && patches.from.channel == 1 &&
           patches.kh * (patches.C / PANEL) * patches.step <= MOST_SEGMENTS;
  }
  /** floats of one line */
  int64_t floats() const { return of.step * panels * length * PANEL; }

  /** Whether a line of the input has a pixel that is not zero. */
  bool there(int64_t line) const { return of.place(line, of.from.H) >= 0; }
  /** Adds the sources of lines [from, to) of a picture to what is prefetched. */
  void announce(const float* picture, int64_t from, int64_t to, Fetch& fetch) const;
  /** Line `line` of a picture, with `stride` floats from one panel of a class to the next. */
  void pack(const float* picture, int64_t line, float* to, int64_t stride) const;

  /** Taps of class c: the first of them, and how many. */
  int64_t first_tap(int64_t c) const {
    return of.step == 1 ? 0 : ((of.offset_x & 1) == c ? 0 : 1);
  }
  int64_t taps(int64_t c) const { return (of.kw - first_tap(c) + of.step - 1) / of.step; }
  /** where the first tap of class c of output pixel 0 is in its buffer */
  int64_t start(int64_t c) const { return floor_half(first_tap(c) + of.offset_x, of.step) - first; }

  /** [kh, kw, C, N] in the order of the depth. */
  void order(Workers& workers, const float* weight, int64_t N, float* out) const;
};

/** Patches × b by all threads, b packed from an ordered weight; the epilogue counts rows from the first of all. */
struct LineProduct {
  const Lines& lines;
  Packed b;
  float* spaces;

  static int64_t scratch(const Lines& lines, int workers) { return workers * lines.of.kh * lines.floats(); }

  template <class Epilogue>
  LFM_INLINE void run(Workers& workers, const Epilogue& epilogue) const {
    const Patches& p = lines.of;
    const int64_t ring = p.kh, line_floats = lines.floats();
    // few pictures are cut, at the price of packing some lines twice
    const int64_t chunks = p.from.B >= 4 * workers.count ? 1 : divide_up(p.outH, 8);
    const int64_t tiles = divide_up(p.outW, BLOCK_ROWS);
    const int64_t parts = column_parts(workers, p.from.B * chunks, b);
    parallel(workers, p.from.B * chunks * parts, [&](int64_t task, int worker) {
      const int64_t b_index = task / parts / chunks, chunk = task / parts % chunks, part = task % parts;
      const int64_t columns_from = first_column(b, part, parts), columns_to = first_column(b, part + 1, parts);
      const float* const picture = p.from.data + b_index * p.from.picture;
      float* const space = spaces + worker * ring * line_floats;
      int64_t packed_until = INT64_MIN;
      alignas(64) float tile[BLOCK_ROWS * PANEL];
      Segment segments[MOST_SEGMENTS];
      for (int64_t y = chunk * p.outH / chunks; y < (chunk + 1) * p.outH / chunks; y++) {
        const int64_t top = y * p.step + p.offset_y;
        const auto slot = [&](int64_t line) __attribute__((always_inline)) {
          return space + ((line - p.offset_y) % ring) * line_floats;
        };
        int64_t count = 0, k = 0;
        for (int64_t i = 0; i < p.kh; i++) {
          const int64_t line = top + i;
          if (!lines.there(line)) {
            k += p.kw * p.C;
            continue;
          }
          if (line > packed_until) lines.pack(picture, line, slot(line), lines.length * PANEL);
          for (int64_t panel = 0; panel < lines.panels; panel++) {
            for (int64_t c = 0; c < p.step; c++) {
              const int64_t taps = lines.taps(c);
              const float* const from = slot(line) + ((c * lines.panels + panel) * lines.length + lines.start(c)) * PANEL;
              segments[count++] = {from, k, taps};
              k += taps * PANEL;
            }
          }
        }
        packed_until = most(packed_until, top + p.kh - 1);
        const int64_t row = (b_index * p.outH + y) * p.outW;
        // what this line writes, and what the next one has packed first
        Fetch fetch;
        lines.announce(picture, packed_until + 1, packed_until + 1 + p.step, fetch);
        epilogue.announce(row, p.outW, fetch);
        fetch.spread(divide_up(columns_to - columns_from, PANEL) * tiles * (k / PANEL));
        for (int64_t column = columns_from; column < columns_to; column += PANEL) {
          const int width = static_cast<int>(least<int64_t>(PANEL, b.columns - column));
          const int vectors = (width + W - 1) / W;
          for (int64_t i = 0; i < tiles; i++) {
            const int64_t x = i * p.outW / tiles;
            const int height = static_cast<int>((i + 1) * p.outW / tiles - x);
            micro_segments[vectors - 1][height - 1](segments, count, x * PANEL, b.data + column * b.depth, tile,
                                                      fetch);
            epilogue(tile, vectors * W, row + x, height, column, width);
          }
        }
      }
    });
  }
};

}  // namespace LFM_TARGET
}  // namespace lfm
