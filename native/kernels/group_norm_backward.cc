/** Gradients of group normalisation; contract and reference in src/kernels/group_norm_backward.ts. */

#include "norm.h"
#include "simd/activations.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { X, DY, GAMMA, BETA, MODULATION, STATISTICS, STATE, ADD, ADD2, DX, DGAMMA, DBETA, DMODULATION };
enum {
  X_FIRST,
  GROUPS,
  ACTIVATION,
  MODULATION_FIRST,
  DROPOUT,
  SEED_LOW,
  SEED_HIGH,
  STREAM,
  BLOCK,
  FIRST_ROW,
  ADD_FIRST,
  ADD2_FIRST
};
constexpr const char* norm_activations[] = {"identity", "silu", nullptr};

/** Of one worker: eight numbers of each channel, and dropout factors. */
int64_t space_of(int64_t C) { return 8 * round_up(C, 16) + Dropout::room(DROPOUT_PIXELS * C); }
/** Of one picture: what it adds to dgamma and dbeta. */
int64_t scratch(const Call& call, int workers) {
  const int64_t C = call[GAMMA].shape[0];
  return workers * space_of(C) + call[DY].shape[0] * 2 * round_up(C, 16);
}

void run(const Call& call, Workers& workers) {
  const Pictures x = Pictures::of(call[X], NHWC, call.choice(X_FIRST));
  const auto window = [&](int operand, int first) {
    return call[operand].given() ? Pictures::of(call[operand], NHWC, call.choice(first)) : Pictures{};
  };
  const Pictures add = window(ADD, ADD_FIRST), add2 = window(ADD2, ADD2_FIRST);
  const int64_t C = call[GAMMA].shape[0], pixels = x.H * x.W, groups = call.choice(GROUPS), channels = C / groups;
  const int64_t padded = round_up(C, 16);
  const double count = static_cast<double>(pixels) * static_cast<double>(channels);
  const float *const gamma = call[GAMMA].floats(), *const beta = call[BETA].floats();
  float* const pictures = call.scratch + workers.count * space_of(C);
  const bool silu = call.choice(ACTIVATION) == 1;
  const Dropout dropout =
      dropout_of(call[STATE], call.attributes[DROPOUT].number,
                 {call.word(SEED_LOW), call.word(SEED_HIGH), call.word(STREAM)}, call.word(BLOCK),
                 call.choice(FIRST_ROW), pixels * C);

  parallel(workers, x.B, [&](int64_t b, int worker) {
    float* const means = call.scratch + worker * space_of(C);
    float *const rstds = means + padded, *const weights = rstds + padded, *const biases = weights + padded;
    float *const sums = biases + padded, *const products = sums + padded;
    float *const group_sums = products + padded, *const group_products = group_sums + padded;
    float* const masks = Dropout::start(group_products + padded);
    const float* const from = x.data + b * x.picture;
    const float* const dy = call[DY].floats() + b * pixels * C;
    float* const dx = call[DX].floats() + b * pixels * C;
    const float *const mean = call[STATISTICS].floats() + b * 2 * groups, *const rstd = mean + groups;
    const Modulation modulation = modulation_of(call[MODULATION], call.choice(MODULATION_FIRST), C, b);

    // x̂ = (x − mean)·rstd, z = weight·x̂ + bias
    for (int64_t c = 0; c < C; c++) {
      means[c] = mean[c / channels];
      rstds[c] = rstd[c / channels];
      sums[c] = products[c] = 0;
    }
    for_vectors(static_cast<int>(C), [&](int c, int lanes) {
      const V scale = modulation.factor(c, lanes);
      store_lanes(weights + c, load_lanes(gamma + c, lanes) * scale, lanes);
      store_lanes(biases + c, fma(load_lanes(beta + c, lanes), scale, modulation.offset(c, lanes)), lanes);
    });

    // dz goes into dx for now; its sums, and those of dz·x̂
    for (int64_t first = 0; first < pixels; first += DROPOUT_PIXELS) {
      const int64_t last = least(first + DROPOUT_PIXELS, pixels);
      if (dropout.on()) dropout.factors((b * pixels + first) * C, (last - first) * C, masks);
      for_vectors(static_cast<int>(C), [&](int c, int lanes) {
        const V mean_of = load_lanes(means + c, lanes), rstd_of = load_lanes(rstds + c, lanes);
        const V weight = load_lanes(weights + c, lanes), bias = load_lanes(biases + c, lanes);
        V sum = zero(), product = zero();
        for (int64_t p = first; p < last; p++) {
          const V normal = (load_lanes(from + p * x.pixel + c, lanes) - mean_of) * rstd_of;
          V dz = load_lanes(dy + p * C + c, lanes);
          if (silu) dz = dz * Silu::derivative(fma(weight, normal, bias), zero());
          if (dropout.on()) dz = dz * load_lanes(masks + (p - first) * C + c, lanes);
          store_lanes(dx + p * C + c, dz, lanes);
          sum = sum + dz;
          product = fma(dz, normal, product);
        }
        store_lanes(sums + c, load_lanes(sums + c, lanes) + sum, lanes);
        store_lanes(products + c, load_lanes(products + c, lanes) + product, lanes);
      });
    }

    for (int64_t g = 0; g < groups; g++) {
      double sum = 0, product = 0;
      for (int64_t c = g * channels; c < (g + 1) * channels; c++) {
        sum += static_cast<double>(sums[c]) * weights[c];
        product += static_cast<double>(products[c]) * weights[c];
      }
      for (int64_t c = g * channels; c < (g + 1) * channels; c++) {
        group_sums[c] = static_cast<float>(sum / count);
        group_products[c] = static_cast<float>(product / count);
      }
    }
    float *const own_gamma = pictures + b * 2 * padded, *const own_beta = own_gamma + padded;
    for_vectors(static_cast<int>(C), [&](int c, int lanes) {
      const V scale = modulation.factor(c, lanes);
      const V sum = load_lanes(sums + c, lanes), product = load_lanes(products + c, lanes);
      store_lanes(own_gamma + c, scale * product, lanes);
      store_lanes(own_beta + c, scale * sum, lanes);
      if (!call[DMODULATION].given()) return;
      float* const row = call[DMODULATION].floats() + b * call[DMODULATION].shape[1] + call.choice(MODULATION_FIRST);
      const V dscale = fma(load_lanes(gamma + c, lanes), product, load_lanes(beta + c, lanes) * sum);
      store_lanes(row + c, dscale, lanes);
      store_lanes(row + C + c, sum, lanes);
    });

    for (int64_t p = 0; p < pixels; p++) {
      const int64_t pixel = b * pixels + p;
      for_vectors(static_cast<int>(C), [&](int c, int lanes) {
        const V rstd_of = load_lanes(rstds + c, lanes);
        const V normal = (load_lanes(from + p * x.pixel + c, lanes) - load_lanes(means + c, lanes)) * rstd_of;
        const V dnormal = load_lanes(dx + p * C + c, lanes) * load_lanes(weights + c, lanes);
        const V centred = fnma(normal, load_lanes(group_products + c, lanes), dnormal - load_lanes(group_sums + c, lanes));
        V value = rstd_of * centred;
        if (add.data) value = value + load_lanes(add.data + pixel * add.pixel + c, lanes);
        if (add2.data) value = value + load_lanes(add2.data + pixel * add2.pixel + c, lanes);
        store_lanes(dx + p * C + c, value, lanes);
      });
    }
  });

  if (!call[DGAMMA].given()) return;
  for_vectors(static_cast<int>(C), [&](int c, int lanes) {
    V dgamma = zero(), dbeta = zero();
    for (int64_t b = 0; b < x.B; b++) {
      dgamma = dgamma + load_lanes(pictures + b * 2 * padded + c, lanes);
      dbeta = dbeta + load_lanes(pictures + (b * 2 + 1) * padded + c, lanes);
    }
    store_lanes(call[DGAMMA].floats() + c, dgamma, lanes);
    store_lanes(call[DBETA].floats() + c, dbeta, lanes);
  });
}

}  // namespace

extern const Kernel group_norm_backward = {
    "group_norm_backward",
    {"x", "dy", "gamma", "beta", "modulation", "statistics", "state", "add", "add2", "dx", "dgamma", "dbeta",
     "dmodulation"},
    {{"xFirst", nullptr},
     {"groups", nullptr},
     {"activation", norm_activations},
     {"modulationFirst", nullptr},
     {"dropout", nullptr},
     {"seedLow", nullptr},
     {"seedHigh", nullptr},
     {"stream", nullptr},
     {"block", nullptr},
     {"firstRow", nullptr},
     {"addFirst", nullptr},
     {"add2First", nullptr},
     {"epsilon", nullptr}},  // the statistics have it
    run,
    scratch};

}  // namespace LFM_TARGET
}  // namespace lfm
