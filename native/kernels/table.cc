/** All kernels and fused composites of a target: a new one is one row here, in kernels.h and in ../sources.json. */

#include "kernels/kernels.h"
#include "measure.h"

namespace lfm {
namespace LFM_TARGET {

static const Kernel* const all[] = {
    &accumulate, &activation, &adam, &adaptive_control, &adaptive_stage, &attention, &attention_backward,
    &average_pool, &average_pool_backward, &conv2d, &conv2d_backward_input, &conv2d_backward_weight, &divergence,
    &draw_batch, &flow_loss, &gradient_norm, &group_norm, &group_norm_backward, &input_features, &input_tangent,
    &linear_backward_input, &linear_backward_weight, &linear_forward, &linear_loss, &linear_tangent, &load_rows,
    &mat_mul, &mlp_backward, &mlp_forward, &mlp_tangents, &normal, &rademacher, &rk4_step, &stage_combine,
    &time_embedding,
};

const Target target = {all, sizeof all / sizeof all[0], multiply_adds, evaluate, philox_words};

}  // namespace LFM_TARGET
}  // namespace lfm
