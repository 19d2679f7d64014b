/** The kernels and fused composites of this target, each defined in the file of its name; table.cc lists them. */
#pragma once

#include "kernel.h"

namespace lfm {
namespace LFM_TARGET {

extern const Kernel accumulate, activation, adam, adaptive_control, adaptive_stage, attention, attention_backward,
    average_pool, average_pool_backward, conv2d, conv2d_backward_input, conv2d_backward_weight, divergence,
    draw_batch, flow_loss, gradient_norm, group_norm, group_norm_backward, input_features, input_tangent,
    linear_backward_input, linear_backward_weight, linear_forward, linear_loss, linear_tangent, load_rows, mat_mul,
    mlp_backward, mlp_forward, mlp_tangents, normal, rademacher, rk4_step, stage_combine, time_embedding;

}  // namespace LFM_TARGET
}  // namespace lfm
