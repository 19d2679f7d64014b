/**
 * Threads that share the loops of kernels. They are started on first use and joined when the last owner of the pool releases
 * it, since Node unloads the addon's code with the last environment that loaded it. Between loops they spin for some
 * microseconds, since the next kernel follows at once, and then sleep. One loop runs at a time
 * (whoever runs programs holds `ThreadPool::turn`). Each thread begins with its own range of the tasks, so that what it
 * left in its cache in the loop before is where it goes on; then it helps the others. Which thread does which is left
 * to chance, so kernels must not let results depend on it.
 */
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "kernel.h"

namespace lfm {

class ThreadPool : public Workers {
 public:
  /**
   * The process's pool; its threads are started where they do not run yet. No static object: its threads may outlive these
   * at exit. Throws std::system_error where the system gives no thread.
   */
  static ThreadPool& get();
  /** Whoever loaded the addon holds the pool: its threads end when the last one lets go. */
  static void hold();
  static void let_go();
  ~ThreadPool();

  /** Held while programs run, by one device at a time; waited for in short stretches, so that who is to end can leave. */
  std::mutex turn;

 private:
  explicit ThreadPool(int threads);
  void start();
  /** Joins the threads; nobody may be in share(). */
  void stop();
  void share(int64_t tasks, Task task, void* context);
  void work(int worker);
  void take_tasks(int worker);

  /** the tasks of one thread that nobody has taken yet */
  struct alignas(64) Range {
    std::atomic<int64_t> next{0};
    int64_t end = 0;
  };
  std::unique_ptr<Range[]> ranges_;
  struct alignas(64) {
    std::atomic<uint64_t> number{0};
  } loop_;
  /** a loop may be joined; whoever shared it waits for those inside alone, not for threads that come too late */
  struct alignas(64) {
    std::atomic<bool> flag{false};
  } open_;
  struct alignas(64) {
    std::atomic<int> threads{0};
  } inside_;
  Task task_ = nullptr;
  void* context_ = nullptr;
  std::atomic<int> sleeping_{0};
  std::mutex sleep_;
  std::condition_variable wake_;
  std::atomic<bool> ending_{false};
  std::vector<std::thread> threads_;
};

/** Rounds results and operands below the normal range to zero while it lives: they cost a hundred times as much. */
class FlushSubnormals {
 public:
  FlushSubnormals();
  ~FlushSubnormals();
  FlushSubnormals(const FlushSubnormals&) = delete;
  FlushSubnormals& operator=(const FlushSubnormals&) = delete;

 private:
  uint64_t saved_;
};

}  // namespace lfm
