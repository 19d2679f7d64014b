/** See lines.h. */

#include "lines.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

template <int ROWS, int VECTORS>
void multiply_segments(const Segment* segments, int64_t count, int64_t shift, const float* b, float* c, Fetch& fetch) {
  V sum[ROWS][VECTORS];
#pragma GCC unroll 16
  for (int m = 0; m < ROWS; m++) {
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) sum[m][v] = zero();
  }
  for (int64_t s = 0; s < count; s++) {
    const float* a = segments[s].a + shift;
    const float* right = b + segments[s].k * VECTORS * W;
    // the next panel is the next pixel: the depth of a segment is one run
    const float* const end = a + segments[s].panels * PANEL;
    for (; a < end; a += PANEL) {
      fetch.step();
#pragma GCC unroll 4
      for (int k = 0; k < PANEL; k++, right += VECTORS * W) {
        V vectors[VECTORS];
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++) vectors[v] = load(right + v * W);
#pragma GCC unroll 16
        for (int m = 0; m < ROWS; m++) {
          const V left = set1(a[m * PANEL + k]);
#pragma GCC unroll 4
          for (int v = 0; v < VECTORS; v++) sum[m][v] = fma(left, vectors[v], sum[m][v]);
        }
      }
    }
  }
#pragma GCC unroll 16
  for (int m = 0; m < ROWS; m++) {
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) store(c + (m * VECTORS + v) * W, sum[m][v]);
  }
}

template <int ROWS, int VECTORS>
void reduce_lines(int64_t lines, int64_t width, const float* a, int64_t pitch, const float* b, bool accumulate, float* c,
                  Fetch& fetch) {
  V sum[ROWS][VECTORS];
#pragma GCC unroll 16
  for (int m = 0; m < ROWS; m++) {
    // what is added to at the end is in a far cache: prefetch it
    for (int line = 0; line < VECTORS * W; line += 16) __builtin_prefetch(c + m * PANEL + line, 1, 3);
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) sum[m][v] = zero();
  }
  for (int64_t line = 0; line < lines; line++, a += pitch) {
    fetch.step();
    const float* left = a;
    const float* const end = b + width * PANEL;
#pragma GCC unroll 4
    for (; b < end; b += PANEL, left += PANEL) {
      V vectors[VECTORS];
#pragma GCC unroll 4
      for (int v = 0; v < VECTORS; v++) vectors[v] = load(b + v * W);
#pragma GCC unroll 16
      for (int m = 0; m < ROWS; m++) {
        const V factor = set1(left[m]);
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++) sum[m][v] = fma(factor, vectors[v], sum[m][v]);
      }
    }
  }
#pragma GCC unroll 16
  for (int m = 0; m < ROWS; m++) {
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) {
      float* const to = c + m * PANEL + v * W;
      store(to, accumulate ? load(to) + sum[m][v] : sum[m][v]);
    }
  }
}

}  // namespace

const SegmentKernel micro_segments[BLOCK_VECTORS][BLOCK_ROWS] = LFM_MICRO_KERNELS(multiply_segments);
const LineReduction micro_lines[BLOCK_VECTORS][BLOCK_ROWS] = LFM_MICRO_KERNELS(reduce_lines);

void Lines::announce(const float* picture, int64_t from, int64_t to, Fetch& fetch) const {
  int64_t first = -1, last = -1;
  for (int64_t line = from; line < to; line++) {
    const int64_t source = of.place(line, of.from.H);
    if (source < 0) continue;
    if (first < 0) first = source;
    last = source;
  }
  if (first < 0) return;
  const int64_t line_floats = of.from.W * of.from.pixel;
  fetch.add(picture + first * line_floats, (last + 1 - first) * line_floats);
}

void Lines::pack(const float* picture, int64_t line, float* to, int64_t stride) const {
  const int64_t source = of.place(line, of.from.H);
  for (int64_t c = 0; c < of.step; c++, to += panels * stride) {
    for (int64_t p = 0; p < length; p++) {
      const int64_t column = source < 0 ? -1 : of.place((p + first) * of.step + (of.step == 1 ? 0 : c), of.from.W);
      float* out = to + p * PANEL;
      if (column < 0) {
        for (int64_t panel = 0; panel < panels; panel++, out += stride) {
#pragma GCC unroll 4
          for (int v = 0; v < PANEL; v += W) store(out + v, zero());
        }
        continue;
      }
      const float* from = picture + (source * of.from.W + column) * of.from.pixel;
      for (int64_t panel = 0; panel < panels; panel++, out += stride, from += PANEL) {
#pragma GCC unroll 4
        for (int v = 0; v < PANEL; v += W) store(out + v, load(from + v));
      }
    }
  }
}

void Lines::order(Workers& workers, const float* weight, int64_t N, float* out) const {
  parallel(workers, of.kh * panels, [&](int64_t task, int) {
    const int64_t i = task / panels, panel = task % panels;
    float* to = out + task * of.kw * PANEL * N;
    for (int64_t c = 0; c < of.step; c++) {
      for (int64_t j = first_tap(c); j < of.kw; j += of.step, to += PANEL * N) {
        memcpy(to, weight + ((i * of.kw + j) * of.C + panel * PANEL) * N, static_cast<size_t>(PANEL * N) * sizeof(float));
      }
    }
  });
}

}  // namespace LFM_TARGET
}  // namespace lfm
