/** See queue.h. */

#include "queue.h"

namespace lfm {

void Queue::push(Command* command) {
  std::lock_guard<std::mutex> lock(lock_);
  if (closing_) {
    delete command;
    return;
  }
  if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
  waiting_.push_back(command);
  more_.notify_one();
}

void Queue::close() {
  {
    std::lock_guard<std::mutex> lock(lock_);
    closing_ = 1;
    for (Command* command : waiting_) delete command;
    waiting_.clear();
    more_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void Queue::work() {
  std::unique_lock<std::mutex> lock(lock_);
  for (;;) {
    more_.wait(lock, [this] { return closing_ || !waiting_.empty(); });
    if (closing_) return;
    Command* command = waiting_.front();
    waiting_.pop_front();
    lock.unlock();
    command->execute(closing_);
    done_(receiver_, command);
    lock.lock();
  }
}

}  // namespace lfm
