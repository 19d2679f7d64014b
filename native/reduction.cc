/** See reduction.h. */

#include "reduction.h"
#include "simd/lanes.h"
#include "simd/simd.h"
#include "strip.h"

#include "kernels/epilogue.h"

namespace lfm {
namespace LFM_TARGET {

void Reduction::plan(int workers) {
  slices = 1;
  while (slices < 16 && rows >= 2048 * slices) slices *= 2;
  groups = 1;
  const int64_t panels = divide_up(N, PANEL);
  while (groups < panels && slices * groups % workers != 0 && slices * groups < 4 * workers) groups++;
  column_sums = Strip::floats(M, N);
  const int64_t summed = columns == NONE ? 0 : round_up(columns == OF_A ? M : N, PANEL);
  time_sums = column_sums + summed;
  slice_floats = round_up(time_sums + summed, 16);
  space = REDUCTION_ROWS * PANEL;
}

void Reduction::run(Workers& workers) {
  float* const spaces = memory + slices * slice_floats;
  parallel(workers, slices * groups, [&](int64_t task, int worker) {
    const int64_t slice = task / groups, group = task % groups;
    const int64_t begin = slice * rows / slices, count = (slice + 1) * rows / slices - begin;
    const int64_t panels = divide_up(N, PANEL);
    const int64_t start = group * panels / groups * PANEL, stop = least((group + 1) * panels / groups * PANEL, N);
    float* const sums = memory + slice * slice_floats;
    float* const panel = spaces + worker * space;
    const int64_t strips = divide_up(count, REDUCTION_ROWS), blocks = divide_up(M, BLOCK_ROWS);
    const auto strip_start = [&](int64_t i) { return begin + i * count / strips; };
    for (int64_t i = 0; i < strips; i++) {
      const int64_t first = strip_start(i), depth = strip_start(i + 1) - first;
      const bool accumulate = i > 0;
      const auto add = [&](const View& view, int64_t from, int64_t to) {
        add_columns(view.from(first, from).data, view.row_stride, depth, to - from,
                    time ? time + first : nullptr, accumulate, sums + column_sums + from, sums + time_sums + from);
      };
      // the last group has the partly filled panel, and so the least to do
      if (columns == OF_A && group == groups - 1) add(a, 0, M);
      if (columns == OF_B) add(b, start, stop);
      Fetch fetch;
      if (i + 1 < strips) {
        const int64_t next = strip_start(i + 2) - strip_start(i + 1);
        fetch.add(a.from(first + depth, 0).data, next, M, a.row_stride);
        fetch.add(b.from(first + depth, start).data, next, stop - start, b.row_stride);
        fetch.spread(divide_up(stop - start, PANEL) * blocks * (depth / FETCH_DEPTH));
      }
      for (int64_t column = start; column < stop; column += PANEL) {
        const int64_t width = least<int64_t>(PANEL, stop - column);
        const int vectors = static_cast<int>(divide_up(width, W));
        const bool whole = width == PANEL;
        const View right = whole ? b.from(first, column) : View::row_major(panel, PANEL);
        if (!whole) pack_strip(b.from(first, column), width, Strip{panel, depth});
        for (int64_t block = 0; block < blocks; block++) {
          const int64_t m = block * M / blocks;
          micro_reduction[vectors - 1][(block + 1) * M / blocks - m - 1](depth, a.from(first, m).data, a.row_stride,
                                                                         right.data, right.row_stride, accumulate,
                                                                         sums + at(m, column), fetch);
        }
      }
    }
  });
}

void Reduction::finish(Workers& workers, float* y, bool turned, float* sums, float* weighted) const {
  parallel_ranges(workers, divide_up(N, W), 1, [&](int64_t vector, int64_t) {
    const int64_t n = vector * W;
    const int lanes = static_cast<int>(least<int64_t>(W, N - n));
    for (int64_t m = 0; m < M; m++) {
      const V value = total(at(m, n));
      if (!turned) {
        store_lanes(y + m * N + n, value, lanes);
        continue;
      }
      float values[W];
      store(values, value);
      for (int lane = 0; lane < lanes; lane++) y[(n + lane) * M + m] = values[lane];
    }
  });
  const int64_t summed = columns == NONE ? 0 : columns == OF_A ? M : N;
  for (int64_t n = 0; n < summed; n += W) {
    const int lanes = static_cast<int>(least<int64_t>(W, summed - n));
    if (sums) store_lanes(sums + n, total(column_sums + n), lanes);
    if (weighted) store_lanes(weighted + n, total(time_sums + n), lanes);
  }
}

}  // namespace LFM_TARGET
}  // namespace lfm
