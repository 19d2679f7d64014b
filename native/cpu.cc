/** See cpu.h. */

#include "cpu.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__linux__)
#include <sched.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace lfm {
namespace {

struct Candidate {
  const char* name;
  const KernelTable* table;
  bool supported;
};

std::vector<Candidate> candidates() {
#if defined(__aarch64__)
  return {{"neon", &neon::table, true}};
#else
  __builtin_cpu_init();
  // the compiler's test includes whether the operating system saves the registers
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  return {{"avx512", &avx512::table, avx512}, {"avx2", &avx2::table, avx2}, {"baseline", &baseline::table, true}};
#endif
}

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

/** First line of a file, empty where there is none. */
std::string line_of(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

}  // namespace

double quota(const std::string& root) {
  double least = INFINITY;
  const auto consider = [&](double limit, double period) {
    if (limit > 0 && period > 0) least = std::min(least, limit / period);
  };
  std::vector<std::string> folders = {""};
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    // a limit may sit at any folder above the process's own
    std::string path = line.substr(line.rfind(':') + 1);
    while (path.size() > 1) {
      folders.push_back(path);
      path = path.substr(0, path.rfind('/'));
    }
  }
  for (const auto& folder : folders) {
    std::istringstream version2(line_of(root + "/sys/fs/cgroup" + folder + "/cpu.max"));
    std::string limit;
    double period = 0;
    if (version2 >> limit >> period && limit != "max") consider(std::atof(limit.c_str()), period);
    for (const char* controller : {"/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct"}) {
      const std::string base = root + controller + folder;
      consider(std::atof(line_of(base + "/cpu.cfs_quota_us").c_str()),
               std::atof(line_of(base + "/cpu.cfs_period_us").c_str()));
    }
  }
  return least;
}

namespace {

int default_threads() {
  int count = static_cast<int>(std::thread::hardware_concurrency());
#if defined(__linux__)
  cpu_set_t mask;
  if (sched_getaffinity(0, sizeof mask, &mask) == 0) count = CPU_COUNT(&mask);
#endif
  const double limit = quota("");
  if (std::isfinite(limit)) count = std::min(count, static_cast<int>(std::ceil(limit)));
  return std::max(count, 1);
}

int choose_threads() {
  const char* text = std::getenv("LFM_THREADS");
  if (!text || !*text) return default_threads();
  char* end = nullptr;
  const long value = std::strtol(text, &end, 10);
  if (*end || value < 1 || value > 1024) {
    throw std::runtime_error(std::string("LFM_THREADS must be a whole number from 1 to 1024, but is '") + text + "'.");
  }
  return static_cast<int>(value);
}

std::string processor_name() {
#if defined(__APPLE__)
  char text[256] = "";
  size_t size = sizeof text;
  sysctlbyname("machdep.cpu.brand_string", text, &size, nullptr, 0);
  return text;
#else
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const size_t colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unnamed processor";
#endif
}

void read_caches(long (&sizes)[3]) {
  sizes[0] = sizes[1] = sizes[2] = 0;
#if defined(__linux__)
  for (int index = 0; index < 8; index++) {
    const std::string folder = "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index);
    const int level = std::atoi(line_of(folder + "/level").c_str());
    if (level < 1 || level > 3 || line_of(folder + "/type") == "Instruction") continue;
    const std::string size = line_of(folder + "/size");
    const long unit = size.find('M') != std::string::npos ? 1l << 20 : 1l << 10;
    sizes[level - 1] = std::atol(size.c_str()) * unit;
  }
#elif defined(__APPLE__)
  const char* names[] = {"hw.l1dcachesize", "hw.l2cachesize", "hw.l3cachesize"};
  for (int level = 0; level < 3; level++) {
    int64_t bytes = 0;
    size_t size = sizeof bytes;
    if (sysctlbyname(names[level], &bytes, &size, nullptr, 0) == 0) sizes[level] = static_cast<long>(bytes);
  }
#endif
#if defined(__x86_64__)
  // some containers hide sysfs: the processor describes its caches itself, Intel in leaf 4, AMD in a leaf of its own
  long said[3] = {0, 0, 0};
  for (const unsigned leaf : {0x4u, 0x8000001du}) {
    unsigned a = 0, b = 0, c = 0, d = 0;
    for (unsigned index = 0; index < 8 && __get_cpuid_count(leaf, index, &a, &b, &c, &d); index++) {
      const unsigned type = a & 31, level = (a >> 5) & 7;
      if (type == 0) break;
      if (type == 2 || level < 1 || level > 3) continue;
      const long line = (b & 0xfff) + 1, partitions = ((b >> 12) & 0x3ff) + 1, ways = (b >> 22) + 1;
      said[level - 1] = line * partitions * ways * (static_cast<long>(c) + 1);
    }
  }
  for (int level = 0; level < 3; level++) {
    if (sizes[level] == 0) sizes[level] = said[level];
  }
#endif
}

Cpu examine() {
  Cpu result;
  const auto all = candidates();
  for (const auto& candidate : all) {
    if (candidate.supported) result.supported.push_back(candidate.name);
  }
  const char* wish = std::getenv("LFM_CPU");
  result.chosen = wish && *wish ? wish : result.supported.front();
  const auto found = std::find_if(all.begin(), all.end(), [&](const auto& c) { return c.name == result.chosen; });
  if (found == all.end() || !found->supported) {
    throw std::runtime_error("LFM_CPU must be one of the instruction sets that this processor runs (" +
                             join(result.supported) + "), but is '" + result.chosen + "'.");
  }
  result.table = found->table;
  result.threads = choose_threads();
  result.name = processor_name();
  read_caches(result.caches);
  return result;
}

}  // namespace

const Cpu& cpu() {
  static const Cpu& result = *new Cpu(examine());  // threads may outlive static objects at exit
  return result;
}

const Caches& caches() {
  static const Caches result = [] {
    Caches sizes;
    const long* const said = cpu().caches;
    if (said[0] > 0) sizes.l1 = said[0];
    if (said[1] > 0) sizes.l2 = said[1];
    if (said[2] > 0) sizes.l3 = said[2];
    return sizes;
  }();
  return result;
}

}  // namespace lfm
