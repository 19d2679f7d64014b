// The activation of an operation: activation_<name>.wgsl has its value, its derivative, and whether that is a function of
// the input or of the output. For the formulas see src/kernels/activations.ts.
#include "numeric.wgsl"
#include "activation.wgsl"

// NaN must stay NaN: comparisons, min and max lose it, and a broken training would go on
fn activate(z: f32, beta: f32) -> f32 {
  return select(value_of(z, beta), z, is_nan(z));
}
