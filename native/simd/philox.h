/**
 * Philox4x32-10 (Salmon et al., SC 2011), W counters at a time, and the draws of src/kernels/draws.ts made of it:
 * uniforms, normals by Box–Muller, whole numbers below n, and the Feistel permutation. A draw is a pure function of
 * (index, step, block, stream·256 + purpose) and the seed, so it does not matter which thread makes it.
 */
#pragma once

#include "simd/math.h"

namespace lfm {
namespace LFM_TARGET {

enum Purpose : uint32_t {
  PURPOSE_NOISE = 0,
  PURPOSE_ROW = 1,
  PURPOSE_TIME = 2,
  PURPOSE_SHUFFLE_ROWS = 3,
  PURPOSE_SHUFFLE_BATCH = 4,
  PURPOSE_PROBE = 5,
  PURPOSE_LATENT = 6,
  PURPOSE_DROPOUT = 8,
  PURPOSE_MIRROR = 9,
  PURPOSE_LEFT_NOISE = 10,
};

struct Seed {
  uint32_t low, high, stream;
};

struct Words {
  U word[4];
};

LFM_INLINE Words philox(U c0, U c1, U c2, U c3, uint32_t k0, uint32_t k1) {
  for (int round = 0; round < 10; round++) {
    U low0, high0, low1, high1;
    multiply_wide(c0, 0xd2511f53u, low0, high0);
    multiply_wide(c2, 0xcd9e8d57u, low1, high1);
    c0 = high1 ^ c1 ^ set1_uint(k0);
    c1 = low1;
    c2 = high0 ^ c3 ^ set1_uint(k1);
    c3 = low0;
    k0 += 0x9e3779b9u;
    k1 += 0xbb67ae85u;
  }
  return {{c0, c1, c2, c3}};
}

/** The draws of W indices under one purpose, step and block. */
LFM_INLINE Words draw(const Seed& seed, Purpose purpose, U index, U step, uint32_t block) {
  return philox(index, step, set1_uint(block), set1_uint(seed.stream * 256u + purpose), seed.low, seed.high);
}

LFM_INLINE U lane_numbers(uint32_t first) {
  uint32_t lanes[W];
  for (int i = 0; i < W; i++) lanes[i] = first + static_cast<uint32_t>(i);
  U result;
  memcpy(&result, lanes, sizeof result);
  return result;
}

/** Uniform on (0, 1) with 24 bits: ((w >> 8) + ½)·2⁻²⁴. */
LFM_INLINE V uniform(U word) { return (to_float((I)(word >> 8)) + set1(0.5f)) * set1(0x1p-24f); }

/** Two standard normals from two words by Box–Muller. */
LFM_INLINE void normal_pair(U a, U b, V& first, V& second) {
  const V radius = sqrt(set1(-2.0f) * log((to_float((I)(a >> 8)) + set1(1.0f)) * set1(0x1p-24f)));
  V sine, cosine;
  sin_cos(to_float((I)(b >> 8)) * set1(static_cast<float>(6.283185307179586 * 0x1p-24)), sine, cosine);
  first = radius * cosine;
  second = radius * sine;
}

/** One draw, for what is needed once a step. */
LFM_INLINE void draw_one(const Seed& seed, Purpose purpose, uint32_t index, uint32_t step, uint32_t block,
                         uint32_t* out) {
  const Words words = draw(seed, purpose, set1_uint(index), set1_uint(step), block);
  for (int i = 0; i < 4; i++) out[i] = words.word[i][0];
}

/** A whole number in [0, n). */
LFM_INLINE uint32_t below(uint32_t word, uint32_t n) {
  return static_cast<uint32_t>((static_cast<uint64_t>(word) * n) >> 32);
}

/** A pseudo-random permutation of [0, n): an eight-round Feistel network, repeated until the result is below n. */
struct Permutation {
  uint32_t n, half, mask, keys[8];

  static Permutation of(const Seed& seed, Purpose purpose, uint32_t epoch, uint32_t n) {
    Permutation p;
    p.n = n;
    p.half = 1;
    while (p.half < 16 && (1ull << (2 * p.half)) < n) p.half++;
    p.mask = static_cast<uint32_t>((1ull << p.half) - 1);
    draw_one(seed, purpose, epoch, 0, 0, p.keys);
    draw_one(seed, purpose, epoch, 0, 1, p.keys + 4);
    return p;
  }

  /** The image of the number in each lane; for one that is not below n, some number that is. */
  U at(U x) const {
    U value = network(x & (U)(x < n));
    for (;;) {
      const U walking = (U)(value >= n);
      uint32_t any = 0;
      for (int lane = 0; lane < W; lane++) any |= walking[lane];
      if (!any) return value;
      value = (network(value) & walking) | (value & ~walking);
    }
  }

 private:
  /** A permutation of [0, 4^half). */
  LFM_INLINE U network(U value) const {
    U left = value >> half;
    U right = value & mask;
    for (int round = 0; round < 8; round++) {
      U f = (right ^ keys[round]) * 0x9e3779b1u;
      f = (f ^ (f >> 15)) * 0x85ebca77u;
      f = (f ^ (f >> 13)) & mask;
      const U next = left ^ f;
      left = right;
      right = next;
    }
    return (left << half) | right;
  }
};

}  // namespace LFM_TARGET
}  // namespace lfm
