/**
 * The machine: which instruction sets it can run, how many threads this process may use, its caches and its name. Found
 * once, when the addon is loaded.
 */
#pragma once

#include <string>
#include <vector>

#include "kernel.h"

namespace lfm {

struct Cpu {
  /** best first; the last one always runs */
  std::vector<std::string> supported;
  std::string chosen;
  const KernelTable* table;
  int threads;
  /** bytes of the data caches of one core, levels 1 to 3; 0 where neither system nor processor reports them */
  long caches[3];
  std::string name;
};

/**
 * The machine and the choices made for it. Throws std::runtime_error where LFM_CPU or LFM_THREADS cannot be followed.
 */
const Cpu& cpu();

/**
 * Processors that the container may use, by the kernel's control groups (version 2, then 1); infinite without a limit.
 * `root` stands before the paths of /proc and /sys: a folder of a test, or nothing.
 */
double quota(const std::string& root);

}  // namespace lfm
