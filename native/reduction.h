/**
 * Sums over rows by all threads: c [M, N] = aᵀ b for a [rows, M] and b [rows, N], where there are many rows: weight
 * gradients, and products with a large inner extent.
 *
 * The rows are cut into *slices*, whose number depends on the shapes alone. Each slice has its own sums, computed strip by
 * strip: both operands are read where they lie, a panel's columns of b from the first-level cache and a from the second,
 * which is fast enough for it; only columns of b that fill no panel are packed. The slices are added in order, so that the
 * result depends neither on the number of threads nor on caches. The columns of b may be split over threads too (*groups*),
 * which changes no sum.
 */
#pragma once

#include "strip.h"

namespace lfm {
namespace LFM_TARGET {

/**
 * Rows of a strip. A strip of both operands, the next one that is being prefetched, and the sums fit the second-level cache;
 * a panel's columns of b fill half of the first-level one. Constant, since the order of sums depends on it.
 */
constexpr int64_t REDUCTION_ROWS = PANEL < 24 ? 8 * PANEL : 4 * PANEL;

struct Reduction {
  /** both row-major */
  View a, b;
  int64_t rows, M, N;
  /** of each row, for the weighted sums of columns; or nullptr */
  const float* time = nullptr;
  /** which operand's columns are added up beside the product */
  enum Columns { NONE, OF_A, OF_B } columns = NONE;

  int64_t slices = 0, groups = 0;
  /** floats of one slice: sums of products as a strip of M rows, then the sums of columns, plain and weighted */
  int64_t column_sums = 0, time_sums = 0, slice_floats = 0;
  /** floats of one worker's packed panel */
  int64_t space = 0;
  float* memory = nullptr;

  /** Chooses how to cut; `workers` decides about groups only. */
  void plan(int workers);
  int64_t scratch(int workers) const { return slices * slice_floats + workers * space; }
  /** Fills the slices in `memory`, of scratch() floats. */
  void run(Workers& workers);

  /** Where element (m, n) of the product lies in a slice. */
  int64_t at(int64_t m, int64_t n) const { return n / PANEL * PANEL * M + m * PANEL + n % PANEL; }
  /** W elements from `at` on, added over the slices. */
  LFM_INLINE V total(int64_t at) const {
    const float* from = memory + at;
    V sum = load(from);
    for (int64_t slice = 1; slice < slices; slice++) sum = sum + load(from += slice_floats);
    return sum;
  }
  /** Writes the product, or with `turned` its transpose, to row-major y, and the sums of columns unless they are left out. */
  void finish(Workers& workers, float* y, bool turned, float* sums = nullptr, float* weighted = nullptr) const;
};

}  // namespace LFM_TARGET
}  // namespace lfm
