/**
 * Operands that a kernel or composite can do without. The contracts (src/kernels/, src/networks/, src/ode/) say which they
 * are; test/trust/addon.test.ts compares. Without memory for any other operand a kernel would crash the process.
 */
#pragma once

#include <cstring>
#include <string>

namespace lfm {

struct OptionalOperands {
  const char* kernel;
  const char* operands[12];
};

constexpr OptionalOperands OPTIONAL_OPERANDS[] = {
    {"adam", {"average"}},
    {"adam_mixed", {"average"}},
    {"adaptive_control", {"log_det", "log_det_new", "log_det_stages"}},
    {"average_pool_backward", {"add"}},
    {"conv2d", {"shift", "residual", "stages"}},
    {"conv2d_backward_input", {"saved", "add"}},
    {"conv2d_backward_weight", {"dshift"}},
    {"divergence", {"probes"}},
    {"draw_batch", {"pool_condition", "quantiles", "right", "path_table", "condition"}},
    {"group_norm", {"modulation", "state"}},
    {"group_norm_backward", {"modulation", "state", "add", "add2", "dgamma", "dbeta", "dmodulation"}},
    {"input_features", {"condition", "frequencies"}},
    {"input_tangent", {"frequencies", "probes", "dcondition"}},
    {"integrate", {"condition", "log_det", "probes", "ahead", "log_det_out", "ahead_out"}},
    {"linear_backward_weight", {"t", "state", "dtime_weight"}},
    {"linear_forward", {"t", "time_weight", "z"}},
    {"linear_loss", {"t", "time_weight", "state"}},
    {"linear_tangent", {"saved", "dt", "time_weight"}},
    {"mlp_backward", {"condition"}},
    {"mlp_forward", {"condition"}},
    {"mlp_tangents", {"condition", "probes"}},
    {"segment_loss", {"rates"}},
    {"softmax_segments", {"state", "t", "path_table"}},
};

inline bool may_be_left_out(const std::string& kernel, const char* operand) {
  for (const OptionalOperands& entry : OPTIONAL_OPERANDS) {
    if (kernel != entry.kernel) continue;
    for (const char* name : entry.operands) {
      if (name && std::strcmp(name, operand) == 0) return true;
    }
  }
  return false;
}

}  // namespace lfm
