/** Group normalisation, modulation, activation and dropout; contract and reference in src/kernels/group_norm.ts. */

#include "norm.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { X, GAMMA, BETA, MODULATION, STATE, Y, STATISTICS };
enum {
  X_FIRST,
  GROUPS,
  EPSILON,
  ACTIVATION,
  MODULATION_FIRST,
  DROPOUT,
  SEED_LOW,
  SEED_HIGH,
  STREAM,
  BLOCK,
  FIRST_ROW
};
constexpr const char* norm_activations[] = {"identity", "silu", nullptr};

/** Of one worker: sums, means, factors and offsets of the channels, and dropout factors. */
int64_t space_of(int64_t C) { return 3 * round_up(C, 16) + Dropout::room(DROPOUT_PIXELS * C); }
int64_t scratch(const Call& call, int workers) { return workers * space_of(call[GAMMA].shape[0]); }

/** sums[c] = Σ over pixels of function(x, c), a few vectors of channels at a time. */
template <class Function>
LFM_INLINE void channel_sums(const float* x, int64_t stride, int64_t pixels, int64_t C, float* sums, Function function) {
  for (int64_t c = 0; c < C; c += W) {
    const int lanes = static_cast<int>(least<int64_t>(W, C - c));
    V even = zero(), odd = zero();
    int64_t p = 0;
    for (; p + 2 <= pixels; p += 2) {
      even = even + function(load_lanes(x + p * stride + c, lanes), c, lanes);
      odd = odd + function(load_lanes(x + (p + 1) * stride + c, lanes), c, lanes);
    }
    if (p < pixels) even = even + function(load_lanes(x + p * stride + c, lanes), c, lanes);
    store_lanes(sums + c, even + odd, lanes);
  }
}

/** The sum of each group's channels, over `count`. */
void group_means(const float* sums, int64_t groups, int64_t channels, double count, float* means) {
  for (int64_t g = 0; g < groups; g++) {
    double total = 0;
    for (int64_t c = 0; c < channels; c++) total += sums[g * channels + c];
    means[g] = static_cast<float>(total / count);
  }
}

void run(const Call& call, Workers& workers) {
  const Pictures x = Pictures::of(call[X], NHWC, call.choice(X_FIRST));
  const int64_t C = call[GAMMA].shape[0], pixels = x.H * x.W, groups = call.choice(GROUPS), channels = C / groups;
  const double count = static_cast<double>(pixels) * static_cast<double>(channels);
  const float *const gamma = call[GAMMA].floats(), *const beta = call[BETA].floats();
  const Dropout dropout =
      dropout_of(call[STATE], call.attributes[DROPOUT].number,
                 {call.word(SEED_LOW), call.word(SEED_HIGH), call.word(STREAM)}, call.word(BLOCK),
                 call.choice(FIRST_ROW), pixels * C);
  parallel(workers, x.B, [&](int64_t b, int worker) {
    float* const sums = call.scratch + worker * space_of(C);
    float *const factors = sums + round_up(C, 16), *const offsets = factors + round_up(C, 16);
    float* const masks = Dropout::start(offsets + round_up(C, 16));
    const float* const from = x.data + b * x.picture;
    float *const mean = call[STATISTICS].floats() + b * 2 * groups, *const rstd = mean + groups;

    channel_sums(from, x.pixel, pixels, C, sums, [](V value, int64_t, int) { return value; });
    group_means(sums, groups, channels, count, mean);
    for (int64_t c = 0; c < C; c++) factors[c] = mean[c / channels];
    channel_sums(from, x.pixel, pixels, C, sums, [&](V value, int64_t c, int lanes) {
      const V centred = value - load_lanes(factors + c, lanes);
      return centred * centred;
    });
    group_means(sums, groups, channels, count, rstd);
    const double epsilon = call.attributes[EPSILON].number;
    for (int64_t g = 0; g < groups; g++) {
      float lanes[W] = {static_cast<float>(static_cast<double>(rstd[g]) + epsilon)};
      store(lanes, set1(1.0f) / sqrt(load(lanes)));
      rstd[g] = lanes[0];
    }

    // z = factor·x + offset would cancel where the mean is large: the mean is subtracted first
    const Modulation modulation = modulation_of(call[MODULATION], call.choice(MODULATION_FIRST), C, b);
    float* const means = sums;
    for (int64_t c = 0; c < C; c++) {
      means[c] = mean[c / channels];
      factors[c] = rstd[c / channels] * gamma[c];
    }
    for_vectors(static_cast<int>(C), [&](int c, int lanes) {
      const V scale = modulation.factor(c, lanes);
      store_lanes(factors + c, load_lanes(factors + c, lanes) * scale, lanes);
      store_lanes(offsets + c, fma(load_lanes(beta + c, lanes), scale, modulation.offset(c, lanes)), lanes);
    });
    float* const y = call[Y].floats() + b * pixels * C;
    for (int64_t first = 0; first < pixels; first += DROPOUT_PIXELS) {
      const int64_t last = least(first + DROPOUT_PIXELS, pixels);
      if (dropout.on()) dropout.factors((b * pixels + first) * C, (last - first) * C, masks);
      for (int64_t p = first; p < last; p++) {
        for_vectors(static_cast<int>(C), [&](int c, int lanes) {
          const V centred = load_lanes(from + p * x.pixel + c, lanes) - load_lanes(means + c, lanes);
          V value = fma(centred, load_lanes(factors + c, lanes), load_lanes(offsets + c, lanes));
          if (call.choice(ACTIVATION)) value = value * sigmoid(value);
          if (dropout.on()) value = value * load_lanes(masks + (p - first) * C + c, lanes);
          store_lanes(y + p * C + c, value, lanes);
        });
      }
    }
  });
}

}  // namespace

extern const Kernel group_norm = {"group_norm",
                           {"x", "gamma", "beta", "modulation", "state", "y", "statistics"},
                           {{"xFirst", nullptr},
                            {"groups", nullptr},
                            {"epsilon", nullptr},
                            {"activation", norm_activations},
                            {"modulationFirst", nullptr},
                            {"dropout", nullptr},
                            {"seedLow", nullptr},
                            {"seedHigh", nullptr},
                            {"stream", nullptr},
                            {"block", nullptr},
                            {"firstRow", nullptr}},
                           run,
                           scratch};

}  // namespace LFM_TARGET
}  // namespace lfm
