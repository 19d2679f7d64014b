/**
 * The activations of src/kernels/activations.ts as vector functions: value and derivative, the latter of the output y
 * (identity, relu, elu, softplus, tanh) or of the input z (silu, gelu). `with_activation` calls a generic function with
 * the type of one, so that the choice is made once for a tile and not for each vector.
 */
#pragma once

#include "kernel.h"
#include "simd/math.h"

namespace lfm {
namespace LFM_TARGET {

struct Identity {
  static LFM_INLINE V value(V z, V, V) { return z; }
  static LFM_INLINE V derivative(V, V) { return set1(1.0f); }
};
struct Relu {
  static LFM_INLINE V value(V z, V, V) { return max(set1(0.0f), z); }
  static LFM_INLINE V derivative(V y, V) { return select(less(set1(0.0f), y), set1(1.0f), set1(0.0f)); }
};
struct Elu {
  static LFM_INLINE V value(V z, V, V) { return select(less(set1(0.0f), z), z, expm1_of_negative(min(set1(0.0f), z))); }
  static LFM_INLINE V derivative(V y, V) { return min(set1(0.0f), y) + set1(1.0f); }
};
struct Softplus {
  static LFM_INLINE V value(V z, V beta, V inverse_beta) { return softplus(beta * z) * inverse_beta; }
  static LFM_INLINE V derivative(V y, V beta) {
    return set1(0.0f) - expm1_of_negative(set1(0.0f) - beta * y);
  }
};
struct Silu {
  static LFM_INLINE V value(V z, V, V) { return z * sigmoid(z); }
  static LFM_INLINE V derivative(V z, V) {
    const V s = sigmoid(z);
    return s * fma(z, set1(1.0f) - s, set1(1.0f));
  }
};
struct Gelu {
  static LFM_INLINE V value(V z, V, V) {
    return set1(0.5f) * z * (set1(1.0f) + erf(z * set1(0.707106781f)));
  }
  static LFM_INLINE V derivative(V z, V) {
    const V density = set1(0.398942280f) * exp(set1(-0.5f) * z * z);
    return fma(z, density, set1(0.5f) * (set1(1.0f) + erf(z * set1(0.707106781f))));
  }
};
struct Tanh {
  static LFM_INLINE V value(V z, V, V) { return tanh(z); }
  static LFM_INLINE V derivative(V y, V) { return fnma(y, y, set1(1.0f)); }
};

/** In the order of lfm::activation_names. */
template <class Function>
LFM_INLINE void with_activation(int activation, Function function) {
  switch (activation) {
    case 1: return function(Relu());
    case 2: return function(Elu());
    case 3: return function(Softplus());
    case 4: return function(Silu());
    case 5: return function(Gelu());
    case 6: return function(Tanh());
    default: return function(Identity());
  }
}

}  // namespace LFM_TARGET
}  // namespace lfm
