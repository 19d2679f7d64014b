/**
 * Convolutions as matrix products: the left operand's row is the *patch* of pixels under the kernel's taps for one output
 * pixel, its columns tap after tap, the channels of a tap together. The patches of a block of rows are gathered into a
 * strip (strip.h) when they are needed, so that the operand as a whole is never in memory; pixels beyond the edge are zeros.
 * The same gathering serves the forward product, the input gradient, whose patches are of dy, and the weight gradient,
 * where both operands are strips. Contracts in src/kernels/conv2d.ts and convolution.ts.
 */
#pragma once

#include "row_product.h"

namespace lfm {
namespace LFM_TARGET {

constexpr const char* layout_names[] = {"nhwc", "nchw", nullptr};
enum { NHWC, NCHW };

/** A picture tensor's window of channels, as operands and attributes give it. */
struct Pictures {
  float* data;
  int64_t B, H, W;
  /** floats from pixel to pixel, and from channel to channel */
  int64_t pixel, channel;
  /** floats of one picture */
  int64_t picture;

  static Pictures of(const Operand& operand, int layout, int64_t first = 0) {
    const int64_t* s = operand.shape;
    if (layout == NCHW) return {operand.floats(), s[0], s[2], s[3], 1, s[2] * s[3], s[1] * s[2] * s[3]};
    return {operand.floats() + first, s[0], s[1], s[2], s[3], 1, s[1] * s[2] * s[3]};
  }
};

/** Zeros above and below a picture: none of a sequence, a picture of one row under a kernel of one row. */
LFM_INLINE int64_t padding_along_y(int64_t kh, int64_t kw, int64_t padding) { return kh == 1 && kw > 1 ? 0 : padding; }

struct Patches {
  Pictures from;
  /** channels of a tap, and taps */
  int64_t C, kh, kw;
  /** extents of the output, whose pixels are the rows */
  int64_t outH, outW;
  /**
   * Tap (i, j) of output pixel (y, x) is at (y·step + i + offset_y, x·step + j + offset_x), divided by `divisor` where that
   * leaves no remainder, else zero; then halved where the picture is enlarged by two.
   */
  int64_t step, offset_y, offset_x, divisor;
  bool halved;

  int64_t depth() const { return kh * kw * C; }
  int64_t rows() const { return from.B * outH * outW; }

  /** Rows [first, first + out.rows) as a strip. */
  void pack(int64_t first, const Strip& out) const {
    const int64_t area = outH * outW;
    int64_t b = first / area, y = first % area / outW, x = first % outW;
    for (int64_t r = 0; r < out.rows; r++) {
      Writer writer{out.data + r * PANEL, out.rows * PANEL, 0};
      const float* const picture = from.data + b * from.picture;
      for (int64_t i = 0; i < kh; i++) {
        const int64_t line = place(y * step + i + offset_y, from.H);
        for (int64_t j = 0; j < kw; j++) {
          const int64_t column = line < 0 ? -1 : place(x * step + j + offset_x, from.W);
          if (column < 0) {
            writer.zeros(C);
          } else if (from.channel == 1) {
            writer.copy(picture + (line * from.W + column) * from.pixel, C);
          } else {
            writer.gather(picture + line * from.W + column, from.channel, C);
          }
        }
      }
      if (++x == outW) {
        x = 0;
        if (++y == outH) {
          y = 0;
          b++;
        }
      }
    }
  }

  /** The pixel at a coordinate, or −1 beyond the edge. */
  LFM_INLINE int64_t place(int64_t at, int64_t extent) const {
    if (at < 0) return -1;
    if (divisor == 2) {
      if (at & 1) return -1;
      at >>= 1;
    }
    if (halved) at >>= 1;
    return at < extent ? at : -1;
  }

 private:
  /** Goes along one row of a strip, from panel to panel. */
  struct Writer {
    float* to;
    int64_t panel;
    int64_t lane;

    template <class Put>
    LFM_INLINE void parts(int64_t count, Put put) {
      for (int64_t done = 0; done < count;) {
        const int64_t n = least<int64_t>(PANEL - lane, count - done);
        put(to + lane, done, n);
        done += n;
        lane += n;
        if (lane == PANEL) {
          lane = 0;
          to += panel;
        }
      }
    }
    LFM_INLINE void copy(const float* source, int64_t count) {
      parts(count, [&](float* out, int64_t done, int64_t n) __attribute__((always_inline)) {
        for (int64_t v = 0; v < n; v += W) {
          const int64_t lanes = n - v;
          if (lanes >= W) {
            store(out + v, load(source + done + v));
          } else {
            store_first(out + v, load_first(source + done + v, static_cast<int>(lanes)), static_cast<int>(lanes));
          }
        }
      });
    }
    LFM_INLINE void zeros(int64_t count) {
      parts(count, [&](float* out, int64_t, int64_t n) __attribute__((always_inline)) {
        for (int64_t v = 0; v < n; v += W) store_first(out + v, zero(), static_cast<int>(least<int64_t>(W, n - v)));
      });
    }
    LFM_INLINE void gather(const float* source, int64_t stride, int64_t count) {
      parts(count, [&](float* out, int64_t done, int64_t n) __attribute__((always_inline)) {
        for (int64_t v = 0; v < n; v++) out[v] = source[(done + v) * stride];
      });
    }
  };
};

/** Patches × b by all threads; the epilogue counts rows from the first of all. */
struct PatchProduct {
  const Patches& a;
  Packed b;
  /** of each worker */
  float* spaces;

  static int64_t scratch(int64_t depth, int64_t columns, int workers) {
    return workers * RowProduct::space(depth, columns);
  }

  template <class Epilogue>
  LFM_INLINE void run(Workers& workers, const Epilogue& epilogue) const {
    const int64_t rows = a.rows();
    const int64_t tasks = least(round_up(divide_up(rows, TASK_ROWS), workers.count), divide_up(rows, 2));
    const int64_t most_rows = RowProduct::block_rows(b.depth, b.columns);
    parallel(workers, tasks, [&](int64_t task, int worker) {
      const int64_t first = task * rows / tasks, count = (task + 1) * rows / tasks - first;
      const int64_t blocks = divide_up(count, most_rows);
      for (int64_t i = 0; i < blocks; i++) {
        const int64_t row = first + i * count / blocks, end = first + (i + 1) * count / blocks;
        const Strip strip{spaces + worker * RowProduct::space(b.depth, b.columns), end - row};
        a.pack(row, strip);
        strip_product(strip, b, [&](const float* tile, int stride, int64_t r, int height, int64_t column, int width)
                                    __attribute__((always_inline)) {
          epilogue(tile, stride, row + r, height, column, width);
        });
      }
    });
  }
};

/** Counts pictures and positions along consecutive pixels. */
struct PixelCounter {
  int64_t area, b, position;

  PixelCounter(int64_t pixel, int64_t area_) : area(area_), b(pixel / area_), position(pixel % area_) {}
  LFM_INLINE void next() {
    if (++position == area) {
      position = 0;
      b++;
    }
  }
};

}  // namespace LFM_TARGET
}  // namespace lfm
