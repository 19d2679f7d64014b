/**
 * The activations of src/kernels/activations.ts as vector functions; a new one is a struct and an entry in the list. Each
 * has the table's name; its value; its derivative, of the output y, or where `of_input` of the input z; and `both`, the
 * value and, of the same input, the derivative. `with_activation` calls a generic function with the type of one, so that
 * the choice is made once for a tile and not for each vector.
 */
#pragma once

#include "kernel.h"
#include "simd/math.h"

namespace lfm {
namespace LFM_TARGET {

struct Identity {
  static constexpr const char* name = "identity";
  static constexpr bool of_input = false;
  static LFM_INLINE V value(V z, V, V) { return z; }
  static LFM_INLINE V derivative(V, V) { return set1(1.0f); }
  static LFM_INLINE V both(V z, V , V , V& slope) {
    slope = set1(1.0f);
    return z;
  }
};
struct Relu {
  static constexpr const char* name = "relu";
  static constexpr bool of_input = false;
  static LFM_INLINE V value(V z, V, V) { return max(set1(0.0f), z); }
  static LFM_INLINE V derivative(V y, V) { return select(less(set1(0.0f), y), set1(1.0f), set1(0.0f)); }
  static LFM_INLINE V both(V z, V beta, V inverse, V& slope) {
    slope = derivative(z, beta);
    return value(z, beta, inverse);
  }
};
struct Elu {
  static constexpr const char* name = "elu";
  static constexpr bool of_input = false;
  static LFM_INLINE V value(V z, V, V) { return select(less(set1(0.0f), z), z, expm1_of_negative(min(set1(0.0f), z))); }
  static LFM_INLINE V derivative(V y, V) { return min(set1(0.0f), y) + set1(1.0f); }
  static LFM_INLINE V both(V z, V , V , V& slope) {
    const V below = expm1_of_negative(min(set1(0.0f), z));
    slope = below + set1(1.0f);
    return select(less(set1(0.0f), z), z, below);
  }
};
struct Softplus {
  static constexpr const char* name = "softplus";
  static constexpr bool of_input = false;
  static LFM_INLINE V value(V z, V beta, V inverse_beta) {
    const V e = exp_of_negative(negative_abs(beta * z));
    return fma(log1p_of_fraction(e), inverse_beta, max(set1(0.0f), z));
  }
  static LFM_INLINE V derivative(V y, V beta) {
    return set1(0.0f) - expm1_of_negative(set1(0.0f) - beta * y);
  }
  static LFM_INLINE V both(V z, V beta, V inverse_beta, V& slope) {
    const V x = beta * z;
    const V e = exp_of_negative(negative_abs(x));
    const V larger = set1(1.0f) / (set1(1.0f) + e);
    slope = select(less(x, set1(0.0f)), e * larger, larger);
    return fma(log1p_of_fraction(e), inverse_beta, max(set1(0.0f), z));
  }
};
struct Silu {
  static constexpr const char* name = "silu";
  static constexpr bool of_input = true;
  static LFM_INLINE V value(V z, V, V) { return z * sigmoid(z); }
  static LFM_INLINE V derivative(V z, V) {
    const V s = sigmoid(z);
    return s * fma(z, set1(1.0f) - s, set1(1.0f));
  }
  static LFM_INLINE V both(V z, V , V , V& slope) {
    const V s = sigmoid(z);
    slope = s * fma(z, set1(1.0f) - s, set1(1.0f));
    return z * s;
  }
};
struct Gelu {
  static constexpr const char* name = "gelu";
  static constexpr bool of_input = true;
  static LFM_INLINE V value(V z, V, V) {
    return set1(0.5f) * z * (set1(1.0f) + erf(z * set1(0.707106781f)));
  }
  static LFM_INLINE V derivative(V z, V) {
    const V density = set1(0.398942280f) * exp(set1(-0.5f) * z * z);
    return fma(z, density, set1(0.5f) * (set1(1.0f) + erf(z * set1(0.707106781f))));
  }
  static LFM_INLINE V both(V z, V , V , V& slope) {
    const V half = set1(0.5f) * (set1(1.0f) + erf(z * set1(0.707106781f)));
    slope = fma(z, set1(0.398942280f) * exp(set1(-0.5f) * z * z), half);
    return z * half;
  }
};
struct Tanh {
  static constexpr const char* name = "tanh";
  static constexpr bool of_input = false;
  static LFM_INLINE V value(V z, V, V) { return tanh(z); }
  static LFM_INLINE V derivative(V y, V) { return fnma(y, y, set1(1.0f)); }
  static LFM_INLINE V both(V z, V , V , V& slope) {
    const V y = tanh(z);
    slope = fnma(y, y, set1(1.0f));
    return y;
  }
};

/** A choice of activations by their places. */
template <class... Activation>
struct ActivationList {
  static constexpr const char* names[] = {Activation::name..., nullptr};

  template <class Function>
  static LFM_INLINE void with(int place, Function function) {
    int next = 0;
    (void)((next++ == place && (function(Activation()), true)) || ...);
  }
};

using Activations = ActivationList<Identity, Relu, Elu, Softplus, Silu, Gelu, Tanh>;

/** What an attribute `activation` may be; its number is a place among them. */
constexpr const char* const* activation_names = Activations::names;

/** function(Activation()) of the chosen one. */
template <class Function>
LFM_INLINE void with_activation(int activation, Function function) {
  Activations::with(activation, function);
}

}  // namespace LFM_TARGET
}  // namespace lfm
