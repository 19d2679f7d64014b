/** The state words of training, as in src/kernels/state.ts. */
#pragma once

#include <cstdint>

namespace lfm {

enum StateWord { STATE_STEP = 0, STATE_HALTED = 1, STATE_SKIPPED = 2, STATE_SKIPPED_IN_A_ROW = 3 };
constexpr uint32_t HALTED_LOSS = 1;
constexpr uint32_t HALTED_GRADIENT = 2;
constexpr uint32_t SKIPS_BEFORE_HALT = 10;

}  // namespace lfm
