/**
 * Multi-head self-attention; contract and reference in src/kernels/attention.ts. A task is one head of one picture. A block
 * of queries at a time has its scores for all keys as a strip, which goes from softmax into the second product.
 */

#include "attention.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { QKV, Y, LOG_SUM_EXP };
enum { HEADS };

int64_t space_of(const Heads& is) {
  return Packed::floats(is.d, is.N) + Packed::floats(is.N, is.d) + Strip::floats(QUERIES, is.d) +
         Strip::floats(QUERIES, is.N);
}
int64_t scratch(const Call& call, int workers) { return workers * space_of(Heads(call[QKV], call.choice(HEADS))); }

void run(const Call& call, Workers& workers) {
  const Heads is(call[QKV], call.choice(HEADS));
  float* const y = call[Y].floats();
  parallel(workers, is.B * is.heads, [&](int64_t task, int worker) {
    const int64_t b = task / is.heads, head = task % is.heads;
    float* space = call.scratch + worker * space_of(is);
    const Packed keys = is.pack_turned(b, head, Heads::K, space);
    space += Packed::floats(is.d, is.N);
    const Packed values = is.pack_rows(b, head, Heads::VALUES, space);
    space += Packed::floats(is.N, is.d);
    float* const scores_space = space + Strip::floats(QUERIES, is.d);
    float* const log_sum_exp = call[LOG_SUM_EXP].floats() + task * is.N;
    Fetch fetch;
    is.announce(task + 1, fetch);
    fetch.spread(is.steps());
    for (int64_t first = 0; first < is.N; first += QUERIES) {
      const int64_t rows = least<int64_t>(QUERIES, is.N - first);
      const Strip queries{space, rows}, scores{scores_space, rows};
      is.pack_queries(b, head, first, queries);
      Heads::product(queries, keys, scores, fetch);
      float inverse[QUERIES + W];
      softmax_rows(scores, is.N, log_sum_exp + first, inverse);
      strip_product(scores, values, [&](const float* tile, int stride, int64_t row, int height, int64_t column,
                                        int width) {
        for (int r = 0; r < height; r++) {
          float* const to = y + (b * is.N + first + row + r) * is.C + head * is.d + column;
          const V factor = set1(inverse[row + r]);
          for_vectors(width, [&](int v, int lanes) {
            store_lanes(to + v, load(tile + r * stride + v) * factor, lanes);
          });
        }
      });
    }
  });
}

}  // namespace

extern const Kernel attention = {"attention", {"qkv", "y", "log_sum_exp"}, {{"heads", nullptr}}, run, scratch};

}  // namespace LFM_TARGET
}  // namespace lfm
