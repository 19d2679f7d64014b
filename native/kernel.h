/**
 * The interface between the executor and the kernels. A kernel is compiled once for each instruction set and reached
 * through its instruction set's table; it takes a Call: operands and attributes in the order that its Kernel declares, and
 * scratch memory. Plain data and function pointers only, since kernels must not instantiate the standard library (see
 * simd/simd.h). Shapes were checked by the contract (src/kernels/) before a Call was made.
 */
#pragma once

#include <cstdint>

namespace lfm {

constexpr int MAX_OPERANDS = 16;
constexpr int MAX_ATTRIBUTES = 16;
constexpr int MAX_LIST = 16;
constexpr int MAX_RANK = 4;

struct Operand {
  void* data = nullptr;
  int64_t shape[MAX_RANK] = {1, 1, 1, 1};
  int rank = 0;

  bool given() const { return data != nullptr; }
  float* floats() const { return static_cast<float*>(data); }
  uint32_t* words() const { return static_cast<uint32_t*>(data); }
  int64_t size() const { return shape[0] * shape[1] * shape[2] * shape[3]; }
};

/** A number; the index of a name among its choices; 0 or 1; or a short list. */
struct Attribute {
  double number = 0;
  double list[MAX_LIST] = {};
  int count = 0;
};

struct Call {
  Operand operands[MAX_OPERANDS];
  Attribute attributes[MAX_ATTRIBUTES];
  /** 64-byte aligned, of the size that the kernel asked for; shared with the other calls of the program */
  float* scratch = nullptr;
  /**
   * memory of the size that the kernel asked for, in which what it makes of an operand that seldom changes stays from run to run;
   * nullptr: it is made in scratch memory every time. `prepare`: the operand has changed, so that it is to be made now
   */
  float* prepared = nullptr;
  bool prepare = false;

  const Operand& operator[](int i) const { return operands[i]; }
  float number(int i) const { return static_cast<float>(attributes[i].number); }
  int choice(int i) const { return static_cast<int>(attributes[i].number); }
  uint32_t word(int i) const { return static_cast<uint32_t>(attributes[i].number); }
};

/**
 * Threads that share a loop. Which thread does which task is not defined, and results must not depend on it; after a task,
 * the next one is the likeliest for the same thread.
 */
struct Workers {
  int count = 1;
  using Task = void (*)(void* context, int64_t index, int worker);
  void (*run)(Workers* self, int64_t tasks, Task task, void* context) = nullptr;
};

/** Bytes of the data caches of a core, its own or shared, never 0: as the machine reports them, else usual sizes. */
struct Caches {
  int64_t l1 = 32 << 10, l2 = 512 << 10, l3 = 8 << 20;
};
const Caches& caches();

struct AttributeSpec {
  const char* name;
  /** names that a string may be, ended by nullptr; nullptr for numbers and lists */
  const char* const* choices;
};

/** What a kernel would keep: made of operand `operand`, `floats` of them; of the same operand in the same `form` it is the same. */
struct Preparation {
  int operand;
  int64_t floats;
  int64_t form;
};

struct Kernel {
  const char* name;
  const char* operands[MAX_OPERANDS];
  AttributeSpec attributes[MAX_ATTRIBUTES];
  void (*run)(const Call& call, Workers& workers);
  /** floats of scratch memory; nullptr: none */
  int64_t (*scratch)(const Call& call, int workers);
  /** what it would keep from run to run, of 0 floats where that is not worth its memory; nullptr: never anything */
  Preparation (*prepared)(const Call& call);
};

/** What one instruction set offers: its kernels, and measurements of the machine under it. */
struct KernelTable {
  const Kernel* const* kernels;
  int kernel_count;
  /** a multiply-add loop in registers; returns the floating-point operations it did */
  double (*multiply_adds)(int64_t rounds);
  /** y[i] = function(x[i]) of simd/math.h, for its tests; false where there is none of that name */
  bool (*evaluate)(const char* function, const float* x, float* y, int64_t count);
  /** the words of W counters and keys, for the known-answer test */
  void (*philox)(const uint32_t* counter, const uint32_t* key, uint32_t* words);
};

#if defined(__aarch64__)
namespace neon {
extern const KernelTable table;
}
#else
namespace avx512 {
extern const KernelTable table;
}
namespace avx2 {
extern const KernelTable table;
}
namespace baseline {
extern const KernelTable table;
}
#endif

#if defined(LFM_TARGET)
namespace LFM_TARGET {

/** task(index, worker) for every index below `tasks`, on all workers. */
template <class Task>
inline void parallel(Workers& workers, int64_t tasks, Task task) {
  if (tasks <= 0) return;
  if (tasks == 1 || workers.count == 1) {
    for (int64_t i = 0; i < tasks; i++) task(i, 0);
    return;
  }
  workers.run(
      &workers, tasks,
      [](void* context, int64_t index, int worker) { (*static_cast<Task*>(context))(index, worker); }, &task);
}

/** range(first, last) for blocks of [0, count), at least `grain` elements each: for elementwise work. */
template <class Range>
inline void parallel_ranges(Workers& workers, int64_t count, int64_t grain, Range range) {
  const int64_t blocks = (count + grain - 1) / grain;
  parallel(workers, blocks, [&](int64_t block, int) {
    const int64_t first = block * grain;
    range(first, first + grain < count ? first + grain : count);
  });
}

}  // namespace LFM_TARGET
#endif

}  // namespace lfm
