/** See executor.h. */

#include "executor.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <stdexcept>
#include <thread>

#include "cpu.h"
#include "thread_pool.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace lfm {

void Ledger::add(int64_t size) {
  buffers++;
  const int64_t now = bytes += size;
  int64_t before = peak.load();
  while (before < now && !peak.compare_exchange_weak(before, now)) {
  }
}

void Ledger::remove(int64_t size) {
  buffers--;
  bytes -= size;
}

namespace {

// Windows' own free() cannot give back what is aligned, so C++17's function is not there
#if defined(_WIN32)
void* aligned_memory(size_t alignment, size_t bytes) { return _aligned_malloc(bytes, alignment); }
void free_aligned(void* data) { _aligned_free(data); }
#else
void* aligned_memory(size_t alignment, size_t bytes) { return std::aligned_alloc(alignment, bytes); }
void free_aligned(void* data) { std::free(data); }
#endif

}  // namespace

Allocation::Allocation(std::shared_ptr<Ledger> ledger, size_t bytes) : ledger_(std::move(ledger)), bytes_(bytes) {
  constexpr size_t HUGE_PAGE = size_t{2} << 20;
  const size_t alignment = bytes >= 2 * HUGE_PAGE ? HUGE_PAGE : 64;
  const size_t rounded = std::max<size_t>((bytes + alignment - 1) / alignment * alignment, alignment);
  if (rounded < bytes) throw std::bad_alloc();
  data_ = aligned_memory(alignment, rounded);
  if (!data_) throw std::bad_alloc();
#if defined(__linux__)
  // long rows of a batch cross a page every few tiles: large pages spare the address translation
  if (alignment == HUGE_PAGE) madvise(data_, rounded, MADV_HUGEPAGE);
#endif
  std::memset(data_, 0, rounded);
#if defined(__SANITIZE_ADDRESS__)
  // nor is what was added by rounding any kernel's
  ASAN_POISON_MEMORY_REGION(static_cast<char*>(data_) + bytes, rounded - bytes);
#endif
  ledger_->add(static_cast<int64_t>(bytes_));
}

Allocation::~Allocation() { release(); }

void Allocation::release() {
  if (data_) ledger_->remove(static_cast<int64_t>(bytes_));
  free_aligned(data_);
  data_ = nullptr;
}

const Kernel* find_kernel(const std::string& name) {
  const KernelTable& table = *cpu().table;
  for (int i = 0; i < table.kernel_count; i++) {
    if (name == table.kernels[i]->name) return table.kernels[i];
  }
  return nullptr;
}

std::shared_ptr<Allocation> Program::own(size_t bytes) {
  auto allocation = std::make_shared<Allocation>(ledger_, bytes);
  memory_.push_back(allocation);
  return allocation;
}

void Program::add(const Kernel& kernel, const std::vector<Window>& operands, const Attribute* attributes) {
  Step step{&kernel, {}};
  for (size_t i = 0; i < operands.size(); i++) {
    const Window& window = operands[i];
    if (!window.allocation) continue;
    Operand& operand = step.call.operands[i];
    int64_t size = 1;
    const int64_t capacity = static_cast<int64_t>(window.allocation->bytes() / 4);
    bool fits = window.allocation->data() && window.shape.size() <= MAX_RANK && window.offset >= 0;
    for (size_t d = 0; fits && d < window.shape.size(); d++) {
      fits = window.shape[d] >= 1 && window.shape[d] <= capacity / size;
      operand.shape[d] = window.shape[d];
      size *= window.shape[d];
    }
    if (!fits || size > capacity - window.offset) {
      throw std::invalid_argument(std::string(kernel.name) + ": operand " + kernel.operands[i] +
                                  " does not fit into its memory.");
    }
    operand.rank = static_cast<int>(window.shape.size());
    operand.data = static_cast<float*>(window.allocation->data()) + window.offset;
    if (std::find(memory_.begin(), memory_.end(), window.allocation) == memory_.end()) {
      memory_.push_back(window.allocation);
    }
  }
  std::copy(attributes, attributes + MAX_ATTRIBUTES, step.call.attributes);
  steps_.push_back(step);
}

void Program::keep(Step& step) {
  if (!step.kernel->prepared) return;
  const Preparation asked = step.kernel->prepared(step.call);
  if (asked.floats == 0) return;
  const char* const data = static_cast<const char*>(step.call.operands[asked.operand].data);
  const auto holds = [data](const auto& memory) {
    const char* const start = static_cast<const char*>(memory->data());
    return data >= start && data < start + memory->bytes();
  };
  if (std::any_of(written_.begin(), written_.end(), holds)) return;
  const auto found = std::find_if(kept_.begin(), kept_.end(), [&](const Kept& kept) {
    return kept.kernel == step.kernel && kept.operand == data && kept.form == asked.form && kept.floats == asked.floats;
  });
  step.kept = static_cast<int>(found - kept_.begin());
  if (found == kept_.end()) {
    const auto source = *std::find_if(memory_.begin(), memory_.end(), holds);
    kept_.push_back({step.kernel, data, asked.form, source, asked.floats, 0, -1});
  }
}

void Program::place_kept() {
  // together, so that many small weights lie in large pages: a run of few rows does little but read them
  constexpr int64_t LINE = 16;
  int64_t floats = 0;
  for (Kept& kept : kept_) {
    kept.offset = floats;
    floats += (kept.floats + LINE - 1) / LINE * LINE;
  }
  if (floats == 0) return;
  float* const memory = static_cast<float*>(own(static_cast<size_t>(floats) * sizeof(float))->data());
  for (Step& step : steps_) {
    if (step.kept >= 0) step.call.prepared = memory + kept_[step.kept].offset;
  }
}

void Program::finish() {
  for (Step& step : steps_) keep(step);
  place_kept();
  int64_t most = 0;
  const int workers = ThreadPool::get().count;
  for (const Step& step : steps_) {
    if (step.kernel->scratch) most = std::max(most, step.kernel->scratch(step.call, workers));
  }
  if (most == 0) return;
  const auto scratch = own(static_cast<size_t>(most) * sizeof(float));
  for (Step& step : steps_) step.call.scratch = static_cast<float*>(scratch->data());
}

bool Program::usable() const {
  return std::none_of(memory_.begin(), memory_.end(), [](const auto& allocation) { return allocation->doomed; });
}

void Program::run_step(Step& step, Workers& workers) {
  if (step.kept >= 0) {
    Kept& kept = kept_[step.kept];
    step.call.prepare = kept.version != kept.source->version;
    kept.version = kept.source->version;
  }
  step.kernel->run(step.call, workers);
}

void Program::run_timed(Workers& workers, double* clock) {
  using Clock = std::chrono::steady_clock;
  Clock::time_point last = Clock::now();
  for (Step& step : steps_) {
    run_step(step, workers);
    const Clock::time_point now = Clock::now();
    *clock++ += std::chrono::duration<double, std::micro>(now - last).count();
    last = now;
  }
}

int64_t Program::run(int64_t times, const std::atomic<int32_t>& stop, const std::atomic<int32_t>& closing,
                     double* clock) {
  ThreadPool& pool = ThreadPool::get();
  const auto is_to_end = [&] {
    return stop.load(std::memory_order_relaxed) || closing.load(std::memory_order_relaxed);
  };
  // another device's run may be without end, and whoever closes this one waits for us
  std::unique_lock<std::mutex> turn(pool.turn, std::defer_lock);
  while (!turn.try_lock()) {
    if (is_to_end()) return 0;
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
  const FlushSubnormals flush;
  for (const auto& memory : written_) memory->version++;
  for (int64_t done = 0; done < times; done++) {
    if (is_to_end()) return done;
    if (clock) {
      run_timed(pool, clock);
    } else {
      for (Step& step : steps_) run_step(step, pool);
    }
  }
  return times;
}

void Program::run_alone(int64_t times) {
  Workers alone;
  const FlushSubnormals flush;
  for (const auto& memory : written_) memory->version++;
  for (int64_t done = 0; done < times; done++) {
    for (Step& step : steps_) run_step(step, alone);
  }
}

}  // namespace lfm
