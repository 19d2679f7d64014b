/** The kernels and fused composites of this target, each defined in the file of its name; table.cc lists them. */
#pragma once

#include "kernel.h"

namespace lfm {
namespace LFM_TARGET {

extern const Kernel activation, adam, adaptive_control, adaptive_stage, divergence, draw_batch, gradient_norm,
    input_features, input_tangent, linear_backward_input, linear_backward_weight, linear_forward, linear_loss,
    linear_tangent, load_rows, mat_mul, mlp_backward, mlp_forward, mlp_tangents, normal, rademacher, rk4_step, stage_combine;

}  // namespace LFM_TARGET
}  // namespace lfm
