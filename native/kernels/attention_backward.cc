/**
 * Gradient of self-attention; contract and reference in src/kernels/attention_backward.ts. A task is one head of one
 * picture. A block of queries at a time has its probabilities, computed again, and their gradients as strips: ds of the
 * scores of scaled queries, so that dk = dsᵀ(q/√d) needs no factor and dq = ds k/√d gets it at its end.
 */

#include "attention.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { QKV, Y, LOG_SUM_EXP, DY, DQKV };
enum { HEADS };

/** Of one worker, in this order. */
struct Spaces {
  int64_t keys, values_turned, keys_rows, queries, dy, scores, products, dkeys, dvalues, all;

  explicit Spaces(const Heads& is) {
    int64_t end = 0;
    const auto take = [&](int64_t floats) {
      const int64_t start = end;
      end += round_up(floats, 16);
      return start;
    };
    keys = take(Packed::floats(is.d, is.N));
    values_turned = take(Packed::floats(is.d, is.N));
    keys_rows = take(Packed::floats(is.N, is.d));
    queries = take(Strip::floats(QUERIES, is.d));
    dy = take(Strip::floats(QUERIES, is.d));
    scores = take(Strip::floats(QUERIES, is.N));
    products = take(Strip::floats(QUERIES, is.N));
    dkeys = take(Strip::floats(is.N, is.d));
    dvalues = take(Strip::floats(is.N, is.d));
    all = end;
  }
};

int64_t scratch(const Call& call, int workers) {
  return workers * Spaces(Heads(call[QKV], call.choice(HEADS))).all;
}

void run(const Call& call, Workers& workers) {
  const Heads is(call[QKV], call.choice(HEADS));
  const Spaces at(is);
  const V scale = set1(is.scale());
  parallel(workers, is.B * is.heads, [&](int64_t task, int worker) {
    const int64_t b = task / is.heads, head = task % is.heads;
    float* const space = call.scratch + worker * at.all;
    const Packed keys = is.pack_turned(b, head, Heads::K, space + at.keys);
    const Packed values = is.pack_turned(b, head, Heads::VALUES, space + at.values_turned);
    const Packed key_rows = is.pack_rows(b, head, Heads::K, space + at.keys_rows);
    const float* const log_sum_exp = call[LOG_SUM_EXP].floats() + task * is.N;
    const int64_t own = b * is.N * is.C + head * is.d;
    const float *const y = call[Y].floats() + own, *const dy = call[DY].floats() + own;
    float* const dqkv = call[DQKV].floats();

    Fetch fetch;
    const int64_t next = task + 1;
    is.announce(next, fetch);
    if (next < is.B * is.heads) {
      const int64_t place = next / is.heads * is.N * is.C + next % is.heads * is.d;
      fetch.add(call[Y].floats() + place, is.N, is.d, is.C);
      fetch.add(call[DY].floats() + place, is.N, is.d, is.C);
    }
    fetch.spread(2 * is.steps());

    for (int64_t first = 0; first < is.N; first += QUERIES) {
      const int64_t rows = least<int64_t>(QUERIES, is.N - first);
      const Strip queries{space + at.queries, rows}, dys{space + at.dy, rows};
      const Strip p{space + at.scores, rows}, ds{space + at.products, rows};
      is.pack_queries(b, head, first, queries);
      pack_strip(View::row_major(dy, is.C).from(first, 0), is.d, dys);
      Heads::product(queries, keys, p, fetch);
      Heads::product(dys, values, ds, fetch);
      for (int64_t r = 0; r < rows; r++) {
        V sum = zero();
        for_vectors(static_cast<int>(is.d), [&](int c, int lanes) {
          const int64_t i = (first + r) * is.C + c;
          sum = fma(load_lanes(dy + i, lanes), load_lanes(y + i, lanes), sum);
        });
        const V along = set1(horizontal_sum(sum)), logarithm = set1(log_sum_exp[first + r]);
        for (int64_t column = 0; column < is.N; column += PANEL) {
          float *const pr = p.panel(column) + r * PANEL, *const dr = ds.panel(column) + r * PANEL;
          for (int v = 0; v < PANEL && column + v < is.N; v += W) {
            const V probability = exp_of_negative(min(set1(0.0f), load(pr + v) - logarithm));
            store(pr + v, probability);
            store(dr + v, probability * (load(dr + v) - along));
          }
        }
      }
      strip_product(ds, key_rows, [&](const float* tile, int stride, int64_t row, int height, int64_t column,
                                      int width) {
        for (int r = 0; r < height; r++) {
          float* const to =
              dqkv + is.offset(b, head, Heads::Q) + (first + row + r) * 3 * is.C + column;
          for_vectors(width, [&](int v, int lanes) __attribute__((always_inline)) {
            store_lanes(to + v, load(tile + r * stride + v) * scale, lanes);
          });
        }
      });
      strip_reduction(ds, is.N, queries, is.d, first > 0, space + at.dkeys);
      strip_reduction(p, is.N, dys, is.d, first > 0, space + at.dvalues);
    }
    for (int64_t j = 0; j < is.N; j++) {
      const Strip dkeys{space + at.dkeys, is.N}, dvalues{space + at.dvalues, is.N};
      float* const dk = dqkv + is.offset(b, head, Heads::K) + j * 3 * is.C;
      float* const dv = dqkv + is.offset(b, head, Heads::VALUES) + j * 3 * is.C;
      for_vectors(static_cast<int>(is.d), [&](int c, int lanes) {
        store_lanes(dk + c, load_lanes(dkeys.at(j, c), lanes), lanes);
        store_lanes(dv + c, load_lanes(dvalues.at(j, c), lanes), lanes);
      });
    }
  });
}

}  // namespace

extern const Kernel attention_backward = {"attention_backward",
                                   {"qkv", "y", "log_sum_exp", "dy", "dqkv"},
                                   {{"heads", nullptr}},
                                   run,
                                   scratch};

}  // namespace LFM_TARGET
}  // namespace lfm
