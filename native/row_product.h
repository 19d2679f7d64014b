/**
 * Row products of operands in any layout, by all threads: result row = row of A × B. A thread takes a *block* of rows: it
 * packs them (strip.h), which also transposes where needed and spares the inner loop rows that lie a page apart, and
 * multiplies them with the packed right operand, tile by tile; each finished tile goes through an epilogue. Meanwhile the
 * memory of the next block is prefetched into the second-level cache.
 *
 * If the right operand stays in that cache, a block is a single tile of rows, packed in the first-level cache, and all of
 * the operand passes by it; if it is larger, a block has many rows, and each panel is used for all of them.
 */
#pragma once

#include "strip.h"

namespace lfm {
namespace LFM_TARGET {

/** Rows that one task takes at most. */
constexpr int64_t TASK_ROWS = divide_up(112, BLOCK_ROWS) * BLOCK_ROWS;

struct NothingThen {
  LFM_INLINE void operator()(int64_t, int64_t) const {}
};
/** Whether a task is of all columns: something is done with its rows when they are done. */
template <class Then>
inline constexpr bool needs_whole_rows = true;
template <>
inline constexpr bool needs_whole_rows<NothingThen> = false;

struct RowProduct {
  View a;
  int64_t rows;
  Packed b;
  /** of each worker, for a block of A: space() floats */
  float* spaces;

  /** Rows of a block, chosen from the caches: no result depends on it. */
  static int64_t block_rows(int64_t depth, int64_t columns) {
    const int64_t cache = caches().l2 / 4;
    if (depth * columns <= cache / 2 + cache / 4) return BLOCK_ROWS;
    const int64_t tiles = cache / 6 / (round_up(depth, PANEL) * BLOCK_ROWS);
    return most<int64_t>(2, least(tiles, TASK_ROWS / BLOCK_ROWS)) * BLOCK_ROWS;
  }
  static int64_t space(int64_t depth, int64_t columns) { return Strip::floats(block_rows(depth, columns), depth); }

  /** Floats that all workers need. */
  static int64_t scratch(int64_t depth, int64_t columns, int workers) { return workers * space(depth, columns); }

  /**
   * epilogue_of(first row) makes the epilogue of a task, which counts rows from the task's first; then(first row, rows)
   * is called when a task is done.
   */
  template <class MakeEpilogue, class Then = NothingThen>
  LFM_INLINE void run(Workers& workers, MakeEpilogue epilogue_of, Then then = Then()) const {
    int64_t tasks = round_up(divide_up(rows, TASK_ROWS), workers.count);
    tasks = least(tasks, divide_up(rows, 2));
    if constexpr (!needs_whole_rows<Then>) {
      // rows of one tile read all of the right operand, which is then what takes the time
      const int64_t parts = rows <= BLOCK_ROWS ? column_parts(workers, 1, b) : 1;
      if (parts > 1) {
        return parallel(workers, parts, [&](int64_t part, int worker) {
          Fetch nothing;
          const Strip block{spaces + worker * space(b.depth, b.columns), rows};
          multiply(0, block, 0, epilogue_of(0), nothing, first_column(b, part, parts), first_column(b, part + 1, parts));
        });
      }
    }
    parallel(workers, tasks, [&](int64_t task, int worker) {
      const auto task_start = [&](int64_t index) __attribute__((always_inline)) { return index * rows / tasks; };
      const int64_t first = task_start(task), count = task_start(task + 1) - first;
      const auto epilogue = epilogue_of(first);
      if (b.dots() && a.column_stride == 1) {
        dot_rows_of_task(first, count, epilogue);
        return then(first, count);
      }
      // the thread's next one
      const int64_t later = least(task + 1, tasks - 1);
      const int64_t blocks = divide_up(count, block_rows(b.depth, b.columns));
      for (int64_t i = 0; i < blocks; i++) {
        const int64_t row = i * count / blocks, end = (i + 1) * count / blocks;
        const int64_t next = i + 1 < blocks ? end : task_start(later) - first;
        const int64_t most_rows = least(end - row, rows - first - next);
        Fetch fetch;
        if (next > row) {
          if (a.column_stride == 1) fetch.add(a.from(first + next, 0).data, most_rows * a.row_stride);
          epilogue.announce(next, most_rows, fetch);
        }
        const Strip block{spaces + worker * space(b.depth, b.columns), end - row};
        multiply(first + row, block, row, epilogue, fetch, 0, b.columns);
      }
      then(first, count);
    });
  }

 private:
  template <class Epilogue>
  LFM_INLINE void multiply(int64_t row_of_a, const Strip& block, int64_t row, Epilogue epilogue, Fetch& fetch,
                           int64_t columns_from, int64_t columns_to) const {
    alignas(64) float tile[BLOCK_ROWS * PANEL];
    pack_strip(a.from(row_of_a, 0), b.depth, block);
    if (b.dots()) {
      for (int64_t r = 0; r < block.rows; r += 4) {
        const int four = static_cast<int>(least<int64_t>(4, block.rows - r));
        strip_dots(block.data + r * PANEL, block.rows * PANEL, four, b, tile);
        epilogue(tile, W, row + r, four, int64_t{0}, static_cast<int>(b.columns));
      }
      return;
    }
    // tiles as even as possible: one of few rows would wait for the latency of its multiply-adds
    const int64_t tiles = divide_up(block.rows, BLOCK_ROWS);
    fetch.spread(tiles * divide_up(columns_to - columns_from, PANEL) * (b.depth / FETCH_DEPTH));
    for (int64_t column = columns_from; column < columns_to; column += PANEL) {
      const int width = static_cast<int>(least<int64_t>(PANEL, b.columns - column));
      const int vectors = (width + W - 1) / W;
      for (int64_t i = 0; i < tiles; i++) {
        const int64_t r = i * block.rows / tiles;
        const int count = static_cast<int>((i + 1) * block.rows / tiles - r);
        micro_strip[vectors - 1][count - 1](b.depth, block.data + r * PANEL, block.rows * PANEL,
                                            b.data + column * b.depth, tile, fetch);
        epilogue(tile, vectors * W, row + r, count, column, width);
      }
    }
  }

  template <class Epilogue>
  LFM_INLINE void dot_rows_of_task(int64_t first, int64_t count, Epilogue epilogue) const {
    alignas(64) float tile[4 * W];
    for (int64_t row = 0; row < count; row += 4) {
      const int four = static_cast<int>(least<int64_t>(4, count - row));
      dot_rows(a.from(first + row, 0).data, a.row_stride, four, b, tile);
      epilogue(tile, W, row, four, int64_t{0}, static_cast<int>(b.columns));
    }
  }
};

}  // namespace LFM_TARGET
}  // namespace lfm
