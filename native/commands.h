/**
 * A device's queue as JavaScript sees it. If the queue is idle, a request is done at once, on JavaScript's thread; else it
 * becomes a command of the queue (queue.h), whose promise is resolved when JavaScript gets to it. The queue does not wait
 * for that. The process stays alive as long as commands are under way, and no longer.
 */
#pragma once

#include <napi.h>

#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>

#include "queue.h"

namespace lfm {

/** Whatever the engine throws becomes an error of JavaScript. */
template <class Function>
auto guarded(Napi::Env env, Function function) -> decltype(function()) {
  try {
    return function();
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw Napi::RangeError::New(env, "There is no memory for what the native engine was asked for.");
  } catch (const std::invalid_argument& error) {
    throw Napi::TypeError::New(env, error.what());
  } catch (const std::exception& error) {
    throw Napi::Error::New(env, error.what());
  }
}

class Commands : public std::enable_shared_from_this<Commands> {
 public:
  /** what a command does, on the queue's thread */
  using Work = std::function<int64_t(const std::atomic<int32_t>& closing)>;
  /** what its promise resolves to, on JavaScript's thread: from the number that the work returned and what was kept alive */
  using Result = std::function<Napi::Value(Napi::Object used, int64_t number)>;

  explicit Commands(Napi::Env env)
      : env_(env), queue_(done, this), report_(Report::New(env, "lfm.commands", 0, 1, this)) {
    report_.Unref(env);
    // before the report is closed, which the environment does at its end: hooks run last in, first out
    napi_add_env_cleanup_hook(env, end, this);
  }

  ~Commands() {
    if (ended_) return;
    napi_remove_env_cleanup_hook(env_, end, this);
    queue_.close();
    report_.Release();
  }

  Commands(const Commands&) = delete;
  Commands& operator=(const Commands&) = delete;

  /** On the queue, after everything asked for before. `used` is kept alive until then: an array whose memory it touches. */
  Napi::Promise push(Work work, const Napi::Object& used, Result result = number_of) {
    auto* command = new Asked(shared_from_this(), std::move(work), used, std::move(result));
    const Napi::Promise promise = command->deferred.Promise();
    try {
      queue_.push(command);
    } catch (const std::system_error& error) {
      delete command;
      throw Napi::Error::New(env_, std::string("The native engine could not start a thread: ") + error.what());
    } catch (...) {
      delete command;
      throw;
    }
    if (under_way_++ == 0) report_.Ref(env_);
    return promise;
  }

  /** Whether a request would be done at once. */
  bool idle() const { return under_way_ == 0; }

  /** At once if the queue is idle, else on the queue. */
  Napi::Promise in_order(Work work, const Napi::Object& used, Result result = number_of) {
    if (!idle()) return push(std::move(work), used, std::move(result));
    const Napi::Promise::Deferred deferred = Napi::Promise::Deferred::New(env_);
    deferred.Resolve(result(used, work(never_)));
    return deferred.Promise();
  }

  static Napi::Value number_of(Napi::Object used, int64_t number) {
    return Napi::Number::New(used.Env(), static_cast<double>(number));
  }

 private:
  struct Asked : Command {
    Asked(std::shared_ptr<Commands> commands, Work work, const Napi::Object& used, Result result)
        : deferred(Napi::Promise::Deferred::New(used.Env())),
          commands_(std::move(commands)),
          work_(std::move(work)),
          used_(Napi::Persistent(used)),
          result_(std::move(result)) {}

    void execute(const std::atomic<int32_t>& closing) override {
      try {
        number_ = work_(closing);
      } catch (...) {
        // as it is: to say more of it may need memory that there is not
        failure_ = std::current_exception();
      }
    }

    static void reported(Napi::Env env, Napi::Function, Commands*, Asked* command) {
      const std::unique_ptr<Asked> owner(command);
      if (static_cast<napi_env>(env) == nullptr) {
        // the environment is ending: JavaScript's memory goes with it
        command->used_.SuppressDestruct();
        return;
      }
      Commands& commands = *command->commands_;
      if (--commands.under_way_ == 0) commands.report_.Unref(env);
      try {
        command->settle(env);
      } catch (const Napi::Error&) {
        // JavaScript is being terminated: nobody will see the promise
      }
    }

    Napi::Promise::Deferred deferred;

   private:
    void settle(Napi::Env env) {
      try {
        guarded(env, [&] {
          if (failure_) std::rethrow_exception(failure_);
          deferred.Resolve(result_(used_.Value(), number_));
        });
      } catch (const Napi::Error& error) {
        deferred.Reject(error.Value());
      }
    }

    /** JavaScript may have dropped it by now */
    std::shared_ptr<Commands> commands_;
    Work work_;
    Napi::ObjectReference used_;
    Result result_;
    int64_t number_ = 0;
    std::exception_ptr failure_;
  };

  using Report = Napi::TypedThreadSafeFunction<Commands, Asked, Asked::reported>;

  static void done(void* self, Command* command) {
    static_cast<Commands*>(self)->report_.NonBlockingCall(static_cast<Asked*>(command));
  }

  static void end(void* self) {
    // the commands that are deleted here may hold it last
    const std::shared_ptr<Commands> commands = static_cast<Commands*>(self)->shared_from_this();
    commands->ended_ = true;
    commands->queue_.close();
  }

  Napi::Env env_;
  // the queue's own memory first: a report that is there and that nobody closes would keep the process alive
  Queue queue_;
  Report report_;
  const std::atomic<int32_t> never_{0};
  int64_t under_way_ = 0;
  bool ended_ = false;
};

}  // namespace lfm
