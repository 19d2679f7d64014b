/**
 * Memory and compiled programs. An *allocation* is a buffer's memory, counted by its device's *ledger*; a *program* is
 * a list of kernel calls with their operands already resolved to addresses, replayed without any further decision.
 * Nothing here knows of JavaScript; addon.cc does.
 */
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "kernel.h"

namespace lfm {

/** Live memory of one device. */
struct Ledger {
  std::atomic<int64_t> buffers{0}, bytes{0}, peak{0};
  void add(int64_t size);
  void remove(int64_t size);
};

/** Zeroed memory on a boundary of 64 bytes. Throws std::bad_alloc. */
class Allocation {
 public:
  Allocation(std::shared_ptr<Ledger> ledger, size_t bytes);
  ~Allocation();
  Allocation(const Allocation&) = delete;
  Allocation& operator=(const Allocation&) = delete;

  /** Frees the memory now. */
  void release();
  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }

  /** no new work may use it: it will be freed when its turn comes */
  bool doomed = false;
  /** grows with whatever changes the content; of the queue's thread, as the content is */
  int64_t version = 0;

 private:
  std::shared_ptr<Ledger> ledger_;
  void* data_;
  size_t bytes_;
};

/** A window on an allocation, before its address is taken. */
struct Window {
  std::shared_ptr<Allocation> allocation;
  int64_t offset = 0;  // elements of four bytes
  std::vector<int64_t> shape;
};

class Program {
 public:
  explicit Program(std::shared_ptr<Ledger> ledger) : ledger_(std::move(ledger)) {}

  /** Appends a call. Throws std::invalid_argument where an operand does not fit its memory. */
  void add(const Kernel& kernel, const std::vector<Window>& operands, const Attribute* attributes);
  /** Keeps memory that belongs to the program alone: slots of temporaries, constants. */
  std::shared_ptr<Allocation> own(size_t bytes);
  /** Says that a run changes this memory. */
  void writes(const std::shared_ptr<Allocation>& memory) { written_.push_back(memory); }
  /** Allocates the scratch memory that the calls share, and what they keep from run to run. */
  void finish();

  /**
   * Replays `times` times, or until one of the two words is set between two replays; the number of replays done. `clock`,
   * where it is given, has a number for each call, to which the microseconds that it took are added.
   */
  int64_t run(int64_t times, const std::atomic<int32_t>& stop, const std::atomic<int32_t>& closing, double* clock);
  /**
   * Replays `times` times on the calling thread alone, without the pool: to wake a thread may take longer than a small program.
   * Nothing else of its device may be under way.
   */
  void run_alone(int64_t times);
  size_t calls() const { return steps_.size(); }
  /** Whether all memory that a run touches is there. */
  bool usable() const;

 private:
  /** What calls have made of memory that no run of this program changes: packed weights, while a batch of few rows costs less. */
  struct Kept {
    const Kernel* kernel;
    const void* operand;
    int64_t form;
    std::shared_ptr<Allocation> source;
    /** of what is made of it, and where it begins in the memory that all of this program's lies in */
    int64_t floats, offset;
    /** of the source when it was made */
    int64_t version;
  };
  struct Step {
    const Kernel* kernel;
    Call call;
    /** number in kept_; −1: none */
    int kept = -1;
  };
  void keep(Step& step);
  void place_kept();
  void run_step(Step& step, Workers& workers);
  void run_timed(Workers& workers, double* clock);

  std::shared_ptr<Ledger> ledger_;
  std::vector<Step> steps_;
  std::vector<std::shared_ptr<Allocation>> memory_, written_;
  std::vector<Kept> kept_;
};

const Kernel* find_kernel(const std::string& name);

}  // namespace lfm
