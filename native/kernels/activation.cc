/** y = act(x), element by element; contract and reference in src/kernels/activation.ts. */

#include "kernels/epilogue.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { X, Y };
enum { ACTIVATION, BETA };

void run(const Call& call, Workers& workers) {
  const float* const x = call[X].floats();
  float* const y = call[Y].floats();
  const V beta = set1(call.number(BETA)), inverse = set1(1.0f / call.number(BETA));
  parallel_ranges(workers, call[X].size(), 16384, [&](int64_t first, int64_t last) {
    with_activation(call.choice(ACTIVATION), [&](auto act) {
      for (int64_t i = first; i < last; i += W) {
        const int lanes = static_cast<int>(least<int64_t>(W, last - i));
        store_lanes(y + i, decltype(act)::value(load_lanes(x + i, lanes), beta, inverse), lanes);
      }
    });
  });
}

}  // namespace

extern const Kernel activation = {
    "activation", {"x", "y"}, {{"activation", activation_names}, {"beta", nullptr}}, run, nullptr};

}  // namespace LFM_TARGET
}  // namespace lfm
