/** What an instruction set offers to tests and benchmarks; no kernel needs it. */
#pragma once

#include "kernel.h"

namespace lfm {
namespace LFM_TARGET {

double multiply_adds(int64_t rounds);
bool evaluate(const char* function, const float* x, float* y, int64_t count);
void philox_words(const uint32_t* counter, const uint32_t* key, uint32_t* words);

}  // namespace LFM_TARGET
}  // namespace lfm
