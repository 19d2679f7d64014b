/** See thread_pool.h. */

#include "thread_pool.h"

#include "cpu.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace lfm {
namespace {

/** Looks before a thread goes to sleep: some tens of microseconds. */
constexpr int SPINS = 4000;

inline void pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/** guards the pool's coming and going, not its loops */
std::mutex life;
ThreadPool* pool = nullptr;
int holders = 0;

}  // namespace

FlushSubnormals::FlushSubnormals() {
#if defined(__x86_64__)
  saved_ = _mm_getcsr();
  _mm_setcsr(static_cast<unsigned>(saved_) | 0x8040);  // flush to zero, and subnormals are zero
#elif defined(__aarch64__)
  asm volatile("mrs %0, fpcr" : "=r"(saved_));
  asm volatile("msr fpcr, %0" : : "r"(saved_ | (uint64_t{1} << 24)));
#endif
}

FlushSubnormals::~FlushSubnormals() {
#if defined(__x86_64__)
  _mm_setcsr(static_cast<unsigned>(saved_));
#elif defined(__aarch64__)
  asm volatile("msr fpcr, %0" : : "r"(saved_));
#endif
}

ThreadPool& ThreadPool::get() {
  std::lock_guard<std::mutex> lock(life);
  if (!pool) pool = new ThreadPool(cpu().threads);
  pool->start();
  return *pool;
}

void ThreadPool::hold() {
  std::lock_guard<std::mutex> lock(life);
  holders++;
}

void ThreadPool::let_go() {
  std::lock_guard<std::mutex> lock(life);
  if (--holders > 0) return;
  delete pool;
  pool = nullptr;
}

ThreadPool::ThreadPool(int threads) {
  count = threads;
  ranges_.reset(new Range[static_cast<size_t>(threads)]);
  run = [](Workers* self, int64_t tasks, Task task, void* context) {
    static_cast<ThreadPool*>(self)->share(tasks, task, context);
  };
}

ThreadPool::~ThreadPool() { stop(); }

void ThreadPool::start() {
  if (!threads_.empty()) return;
  try {
    for (int worker = 1; worker < count; worker++) threads_.emplace_back([this, worker] { work(worker); });
  } catch (...) {
    stop();
    throw;
  }
}

void ThreadPool::stop() {
  {
    std::lock_guard<std::mutex> lock(sleep_);
    ending_.store(true, std::memory_order_seq_cst);
    loop_.number.fetch_add(1, std::memory_order_seq_cst);
    wake_.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  ending_.store(false, std::memory_order_seq_cst);
}

void ThreadPool::take_tasks(int worker) {
  for (int turn = 0; turn < count; turn++) {
    Range& range = ranges_[(worker + turn) % count];
    while (range.next.load(std::memory_order_relaxed) < range.end) {
      const int64_t index = range.next.fetch_add(1, std::memory_order_relaxed);
      if (index >= range.end) break;
      task_(context_, index, worker);
    }
  }
}

void ThreadPool::share(int64_t tasks, Task task, void* context) {
  task_ = task;
  context_ = context;
  for (int worker = 0; worker < count; worker++) {
    ranges_[worker].next.store(worker * tasks / count, std::memory_order_relaxed);
    ranges_[worker].end = (worker + 1) * tasks / count;
  }
  // these are sequentially consistent with a worker's own: of two that announce and then look, one sees the other
  open_.flag.store(true, std::memory_order_seq_cst);
  loop_.number.fetch_add(1, std::memory_order_seq_cst);
  if (sleeping_.load(std::memory_order_seq_cst) > 0) {
    std::lock_guard<std::mutex> lock(sleep_);
    wake_.notify_all();
  }
  take_tasks(0);
  open_.flag.store(false, std::memory_order_seq_cst);
  for (int spin = 0; inside_.threads.load(std::memory_order_seq_cst) > 0; spin++) {
    if (spin < SPINS) {
      pause();
    } else {
      std::this_thread::yield();
    }
  }
}

void ThreadPool::work(int worker) {
  const FlushSubnormals flush;
  uint64_t seen = 0;
  for (;;) {
    for (int spin = 0; spin < SPINS && loop_.number.load(std::memory_order_acquire) == seen; spin++) pause();
    if (loop_.number.load(std::memory_order_acquire) == seen) {
      std::unique_lock<std::mutex> lock(sleep_);
      sleeping_.fetch_add(1, std::memory_order_seq_cst);
      wake_.wait(lock, [&] { return loop_.number.load(std::memory_order_seq_cst) != seen; });
      sleeping_.fetch_sub(1, std::memory_order_relaxed);
    }
    seen = loop_.number.load(std::memory_order_acquire);
    if (ending_.load(std::memory_order_seq_cst)) return;
    inside_.threads.fetch_add(1, std::memory_order_seq_cst);
    if (open_.flag.load(std::memory_order_seq_cst)) take_tasks(worker);
    inside_.threads.fetch_sub(1, std::memory_order_seq_cst);
  }
}

}  // namespace lfm
