/**
 * The order of work on one device. A *command* is a run of a program, or a read, a write or a copy of its buffers. A
 * queue does its commands one after the other, in order, on a thread of its own, and goes from one to the next by itself:
 * after one run the threads of the pool find the next, and a read that was asked for between two runs happens between
 * them. Nothing here knows of JavaScript; commands.h does.
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
  /** called with each command that is done, on the queue's thread; the receiver owns it */
  using Done = void (*)(void* receiver, Command* command);

  Queue(Done done, void* receiver) : done_(done), receiver_(receiver) {}
  ~Queue() { close(); }
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  /** Owns the command until it is done. The first one starts the thread. */
  void push(Command* command);
  /** Ends the current command as soon as possible, deletes those that wait, and takes no more. */
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
