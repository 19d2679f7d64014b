/**
 * The order of work on one device. A *command* is a run of a program, or a read, a write or a copy of its buffers. A
 * queue does its commands one after the other, as they came, on a thread of its own, and goes from one to the next
 * without asking anybody: where two runs were asked for, the threads of the pool find the second in the place of the
 * first, and what is read between them is read between their replays. Nothing here knows of JavaScript; commands.h does.
 */
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace lfm {

struct Command {
  virtual ~Command() = default;
  /** On the queue's thread; `closing` is set where the queue is to end before its commands are done. Throws nothing. */
  virtual void execute(const std::atomic<int32_t>& closing) = 0;
};

class Queue {
 public:
  /** told of each command that is done, on the queue's thread; the receiver owns it */
  using Done = void (*)(void* receiver, Command* command);

  Queue(Done done, void* receiver) : done_(done), receiver_(receiver) {}
  ~Queue() { close(); }
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  /** Owns the command until it is done. The first one starts the thread. */
  void push(Command* command);
  /** Ends the command in work as soon as it can be, deletes those that wait, and takes no more. */
  void close();

 private:
  void work();

  Done done_;
  void* receiver_;
  std::mutex lock_;
  std::condition_variable more_;
  std::deque<Command*> waiting_;
  std::atomic<int32_t> closing_{0};
  std::thread thread_;
};

}  // namespace lfm
