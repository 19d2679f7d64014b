/**
 * The Node-API surface: what src/device/native/ sees. Classes Device, Buffer, Executable and Stop, and functions about the
 * machine. Arguments come from that one caller and are checked for what could crash the process, but for shapes that do
 * not fit each other, which the contracts check in TypeScript; messages for users are made there too. Runs happen off the
 * event loop, on the thread of the device's queue (commands.h), which touches no memory that JavaScript could take away.
 */

#include <napi.h>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>
#include <new>

#include "commands.h"
#include "cpu.h"
#include "executor.h"
#include "optional_operands.h"
#include "stderr_capture.h"
#include "thread_pool.h"

namespace lfm {
namespace {

struct Classes {
  Napi::FunctionReference buffer, executable, stop;
};

/** Marks of our objects: a prototype alone can be put on any other. */
constexpr napi_type_tag BUFFER_TAG = {0x6c666d2d62756666, 0x65722d6f626a6563};
constexpr napi_type_tag STOP_TAG = {0x6c666d2d73746f70, 0x2d776f72642d6f62};

Napi::Error type_error(Napi::Env env, const std::string& message) { return Napi::TypeError::New(env, message); }

/** A whole number in [least, most]. */
int64_t whole(const Napi::Value& value, const char* what, int64_t least, int64_t most) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (!(number >= static_cast<double>(least) && number <= static_cast<double>(most)) ||
      number != static_cast<double>(static_cast<int64_t>(number))) {
    throw type_error(value.Env(), std::string(what) + " must be a whole number from " + std::to_string(least) + " to " +
                                      std::to_string(most) + ".");
  }
  return static_cast<int64_t>(number);
}

/** 2⁵³ − 1 elements would be more memory than there is; this only keeps products below from overflowing. */
constexpr int64_t MOST_ELEMENTS = int64_t{1} << 48;

Napi::Error out_of_memory(Napi::Env env, size_t bytes) {
  return Napi::RangeError::New(env, "There is no memory for " + std::to_string(bytes) + " bytes more.");
}

/** A typed array of one type, whose memory is there and not shared. */
template <class Array>
Array array_of(const Napi::Value& value, napi_typedarray_type type, const char* what) {
  if (value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == type) {
    const Napi::TypedArray array = value.As<Napi::TypedArray>();
    bool detached = true;
    const Napi::Value memory = static_cast<Napi::Value>(array.Get("buffer"));
    if (memory.IsArrayBuffer() && napi_is_detached_arraybuffer(value.Env(), memory, &detached) == napi_ok && !detached) {
      return value.As<Array>();
    }
  }
  throw type_error(value.Env(), std::string(what) + ", and its memory must not be shared or transferred.");
}

/** `changed` is the memory that is written to, where it is a buffer's. */
Commands::Work copying(char* to, const char* from, size_t bytes, std::shared_ptr<Allocation> changed = nullptr) {
  return [=](const std::atomic<int32_t>&) {
    if (bytes > 0) std::memmove(to, from, bytes);
    if (changed) changed->version++;
    return int64_t{0};
  };
}

/** A word by which a run is ended after the replay it is in. */
class Stop : public Napi::ObjectWrap<Stop> {
 public:
  static Napi::Function define(Napi::Env env) { return DefineClass(env, "Stop", {InstanceMethod<&Stop::set>("set")}); }

  explicit Stop(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Stop>(info) {
    Value().TypeTag(&STOP_TAG);
    word = guarded(info.Env(), [] { return std::make_shared<std::atomic<int32_t>>(0); });
  }

  std::shared_ptr<std::atomic<int32_t>> word;

 private:
  void set(const Napi::CallbackInfo&) { word->store(1); }
};

class Buffer : public Napi::ObjectWrap<Buffer> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(
        env, "Buffer",
        {InstanceMethod<&Buffer::safe<&Buffer::write>>("write"), InstanceMethod<&Buffer::safe<&Buffer::read>>("read"),
         InstanceMethod<&Buffer::safe<&Buffer::copy>>("copyTo"), InstanceMethod<&Buffer::safe<&Buffer::dispose>>("dispose")});
  }

  explicit Buffer(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Buffer>(info) { Value().TypeTag(&BUFFER_TAG); }

  std::shared_ptr<Allocation> allocation;
  std::shared_ptr<Commands> commands;

 private:
  template <Napi::Value (Buffer::*method)(const Napi::CallbackInfo&)>
  Napi::Value safe(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] { return (this->*method)(info); });
  }

  /** Where `length` elements from `offset` on lie; throws where they are not all there. */
  char* place(const Napi::Env& env, int64_t offset, int64_t length) {
    if (!allocation || allocation->doomed) throw Napi::Error::New(env, "The buffer was disposed of.");
    const int64_t elements = static_cast<int64_t>(allocation->bytes() / 4);
    if (offset > elements || length > elements - offset) {
      throw Napi::RangeError::New(env, "Elements " + std::to_string(offset) + " to " + std::to_string(offset + length) +
                                           " do not lie in a buffer of " + std::to_string(elements) + ".");
    }
    return static_cast<char*>(allocation->data()) + 4 * offset;
  }

  Napi::Value write(const Napi::CallbackInfo& info) {
    const char* const expected = "values must be a Float32Array or Uint32Array";
    const bool integers = info[0].IsTypedArray() && info[0].As<Napi::TypedArray>().TypedArrayType() == napi_uint32_array;
    Napi::TypedArray values = integers ? static_cast<Napi::TypedArray>(
                                             array_of<Napi::Uint32Array>(info[0], napi_uint32_array, expected))
                                       : array_of<Napi::Float32Array>(info[0], napi_float32_array, expected);
    const int64_t offset = whole(info[1], "offset", 0, MOST_ELEMENTS);
    char* to = place(info.Env(), offset, static_cast<int64_t>(values.ElementLength()));
    const char* from = static_cast<char*>(values.ArrayBuffer().Data()) + values.ByteOffset();
    if (commands->idle()) return commands->in_order(copying(to, from, values.ByteLength(), allocation), values);
    // the caller may change its array before the turn of this comes
    const auto kept = std::make_shared<const std::vector<char>>(from, from + values.ByteLength());
    const auto write = [=, changed = allocation](const std::atomic<int32_t>& closing) {
      return copying(to, kept->data(), kept->size(), changed)(closing);
    };
    return commands->push(write, info.This().As<Napi::Object>());
  }

  /** read(offset, length, integers): an array that nobody has before it is filled, so that nobody can take its memory away. */
  Napi::Value read(const Napi::CallbackInfo& info) {
    const int64_t offset = whole(info[0], "offset", 0, MOST_ELEMENTS);
    const int64_t length = whole(info[1], "length", 0, MOST_ELEMENTS);
    const char* from = place(info.Env(), offset, length);
    // JavaScript's own constructors: theirs is the error where there is no memory
    const char* const type = info[2].ToBoolean().Value() ? "Uint32Array" : "Float32Array";
    const Napi::Function constructor = info.Env().Global().Get(type).As<Napi::Function>();
    const Napi::Object made = constructor.New({Napi::Number::New(info.Env(), static_cast<double>(length))});
    const Napi::TypedArray values = made.As<Napi::TypedArray>();
    if (!made.IsTypedArray() || values.ElementSize() != 4 || values.ElementLength() != static_cast<size_t>(length)) {
      throw type_error(info.Env(), std::string(type) + " is not JavaScript's own any more.");
    }
    char* to = static_cast<char*>(values.ArrayBuffer().Data()) + values.ByteOffset();
    const auto itself = [](Napi::Object used, int64_t) -> Napi::Value { return used; };
    return commands->in_order(copying(to, from, values.ByteLength()), values, itself);
  }

  Napi::Value copy(const Napi::CallbackInfo& info);

  /** Nothing can be asked of it from now on; its memory is freed after what was asked for before. */
  Napi::Value dispose(const Napi::CallbackInfo& info) {
    const auto memory = std::move(allocation);
    if (!memory) return info.Env().Undefined();
    memory->doomed = true;
    const auto release = [memory](const std::atomic<int32_t>&) {
      memory->release();
      return int64_t{0};
    };
    try {
      return commands->in_order(release, info.This().As<Napi::Object>());
    } catch (const std::exception&) {
      // what was asked for before may still need it: it goes with this object
      allocation = memory;
      throw;
    }
  }
};

/** Each device does its work on a queue of its own: memory of another may be freed at any time. */
constexpr const char* OF_ANOTHER = "A buffer of another device was given.";

Buffer& buffer_of(const Napi::Value& value) {
  const Classes& classes = *value.Env().GetInstanceData<Classes>();
  if (!value.IsObject() || !value.As<Napi::Object>().InstanceOf(classes.buffer.Value()) ||
      !value.As<Napi::Object>().CheckTypeTag(&BUFFER_TAG)) {
    throw type_error(value.Env(), "A buffer of the native device is expected.");
  }
  return *Buffer::Unwrap(value.As<Napi::Object>());
}

Napi::Value Buffer::copy(const Napi::CallbackInfo& info) {
  const int64_t from_offset = whole(info[0], "offset", 0, MOST_ELEMENTS);
  Buffer& to = buffer_of(info[1]);
  const int64_t to_offset = whole(info[2], "offset", 0, MOST_ELEMENTS);
  const int64_t length = whole(info[3], "length", 0, MOST_ELEMENTS);
  const char* source = place(info.Env(), from_offset, length);
  char* target = to.place(info.Env(), to_offset, length);
  if (to.commands != commands) throw type_error(info.Env(), OF_ANOTHER);
  const Commands::Work copy = copying(target, source, static_cast<size_t>(length) * 4, to.allocation);
  return commands->in_order(copy, info.This().As<Napi::Object>());
}

class Executable : public Napi::ObjectWrap<Executable> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Executable",
                       {InstanceMethod<&Executable::safe<&Executable::run>>("run"),
                        InstanceMethod<&Executable::safe<&Executable::run_now>>("runNow"),
                        InstanceMethod<&Executable::dispose>("dispose")});
  }

  explicit Executable(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Executable>(info) {}

  std::shared_ptr<Program> program;
  std::shared_ptr<Commands> commands;

 private:
  template <Napi::Value (Executable::*method)(const Napi::CallbackInfo&)>
  Napi::Value safe(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] { return (this->*method)(info); });
  }

  void expect_usable(Napi::Env env) const {
    if (!program || !program->usable()) {
      throw Napi::Error::New(env, "The executable, or a buffer that it uses, was disposed of.");
    }
  }

  /** runNow(times): whether it was run, on JavaScript's thread: not where the queue has something to do. */
  Napi::Value run_now(const Napi::CallbackInfo& info) {
    const int64_t times = whole(info[0], "times", 0, int64_t{1} << 40);
    expect_usable(info.Env());
    const bool now = commands->idle();
    if (now) program->run_alone(times);
    return Napi::Boolean::New(info.Env(), now);
  }

  /**
   * run(times, stop, clock): the number of replays done; `clock` is left out, or has a number for each operation, to which
   * its microseconds are added when the run is over.
   */
  Napi::Value run(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    const int64_t times = whole(info[0], "times", 0, int64_t{1} << 40);
    if (!info[1].IsObject() || !info[1].As<Napi::Object>().InstanceOf(env.GetInstanceData<Classes>()->stop.Value()) ||
        !info[1].As<Napi::Object>().CheckTypeTag(&STOP_TAG)) {
      throw type_error(env, "stop must be a Stop.");
    }
    expect_usable(env);
    const auto stop = Stop::Unwrap(info[1].As<Napi::Object>())->word;
    if (info[2].IsUndefined()) {
      const auto work = [program = program, times, stop](const std::atomic<int32_t>& closing) {
        return program->run(times, *stop, closing, nullptr);
      };
      return commands->push(work, info.This().As<Napi::Object>());
    }
    const size_t calls = program->calls();
    const char* const expected = "clock must be a Float64Array with an element for each operation";
    const auto clock = array_of<Napi::Float64Array>(info[2], napi_float64_array, expected);
    if (clock.ElementLength() != calls) throw type_error(env, std::string(expected) + ".");
    const auto spent = std::make_shared<std::vector<double>>(calls, 0.0);
    const auto work = [program = program, times, stop, spent](const std::atomic<int32_t>& closing) {
      return program->run(times, *stop, closing, spent->data());
    };
    const auto add = [spent](Napi::Object used, int64_t done) {
      Napi::Float64Array total = used.As<Napi::Float64Array>();
      // transferred or shrunk meanwhile: nobody is there to read it
      if (total.ElementLength() == spent->size()) {
        for (size_t i = 0; i < spent->size(); i++) total[i] += (*spent)[i];
      }
      return Commands::number_of(used, done);
    };
    return commands->push(work, clock, add);
  }

  void dispose(const Napi::CallbackInfo&) { program.reset(); }
};

/** What to do where the sources ask for more than the addon has. */
constexpr const char* OLDER = " This addon is older than the sources; build it again: npm run build:addon";

/** Throws where something is given whose name the kernel does not list: leaving it out would give other numbers. */
void expect_known(const Napi::Object& given, const Kernel& kernel, const char* what, const char* const* known, int count) {
  const Napi::Array names = given.GetPropertyNames();
  for (uint32_t n = 0; n < names.Length(); n++) {
    const std::string name = names.Get(n).As<Napi::String>().Utf8Value();
    if (given.Get(name).IsUndefined()) continue;
    int i = 0;
    while (i < count && known[i] && name != known[i]) i++;
    if (i == count || !known[i]) {
      throw type_error(given.Env(), std::string("The native engine's ") + kernel.name + " knows no " + what + " '" + name +
                                        "'." + OLDER);
    }
  }
}

Attribute attribute_of(const Napi::Value& value, const Kernel& kernel, const AttributeSpec& spec) {
  Attribute result;
  const auto fail = [&](const std::string& expected) {
    const std::string where = std::string(kernel.name) + ": attribute " + spec.name;
    return type_error(value.Env(), where + " must be " + expected + ".");
  };
  if (spec.choices) {
    const std::string name = value.IsString() ? value.As<Napi::String>().Utf8Value() : "";
    int index = 0;
    while (spec.choices[index] && name != spec.choices[index]) index++;
    if (!spec.choices[index]) {
      throw type_error(value.Env(), std::string("The native engine's ") + kernel.name + " knows no " + spec.name + " '" +
                                        name + "'." + OLDER);
    }
    result.number = index;
  } else if (value.IsNumber()) {
    result.number = value.As<Napi::Number>().DoubleValue();
  } else if (value.IsBoolean()) {
    result.number = value.As<Napi::Boolean>().Value() ? 1 : 0;
  } else if (value.IsArray()) {
    const Napi::Array list = value.As<Napi::Array>();
    if (list.Length() > MAX_LIST) throw fail("a list of at most " + std::to_string(MAX_LIST) + " numbers");
    result.count = static_cast<int>(list.Length());
    for (int i = 0; i < result.count; i++) {
      const Napi::Value item = list[static_cast<uint32_t>(i)];
      if (!item.IsNumber()) throw fail("a list of numbers");
      result.list[i] = item.As<Napi::Number>().DoubleValue();
    }
  } else {
    throw fail("given");
  }
  return result;
}

class Device : public Napi::ObjectWrap<Device> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Device",
                       {InstanceMethod<&Device::safe<&Device::create_buffer>>("createBuffer"),
                        InstanceMethod<&Device::safe<&Device::compile>>("compile"),
                        InstanceMethod<&Device::safe<&Device::finish>>("finish"),
                        InstanceMethod<&Device::safe<&Device::memory>>("memory")});
  }

  explicit Device(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Device>(info) {
    guarded(info.Env(), [&] {
      cpu();
      ledger_ = std::make_shared<Ledger>();
      commands_ = std::make_shared<Commands>(info.Env());
    });
  }

 private:
  Napi::Value create_buffer(const Napi::CallbackInfo& info) {
    const size_t bytes = static_cast<size_t>(whole(info[0], "length", 0, MOST_ELEMENTS)) * 4;
    const Napi::Object object = info.Env().GetInstanceData<Classes>()->buffer.New({});
    try {
      Buffer& buffer = *Buffer::Unwrap(object);
      buffer.allocation = std::make_shared<Allocation>(ledger_, bytes);
      buffer.commands = commands_;
    } catch (const std::bad_alloc&) {
      throw out_of_memory(info.Env(), bytes);
    }
    return object;
  }

  template <Napi::Value (Device::*method)(const Napi::CallbackInfo&)>
  Napi::Value safe(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] { return (this->*method)(info); });
  }

  static Napi::Array list_in(const Napi::Object& spec, const char* name) {
    const Napi::Value value = spec.Get(name);
    if (!value.IsArray()) throw type_error(spec.Env(), std::string("The program's ") + name + " must be a list.");
    return value.As<Napi::Array>();
  }

  static Napi::Object object_in(const Napi::Object& operation, const char* name) {
    const Napi::Value value = operation.Get(name);
    if (!value.IsObject()) throw type_error(operation.Env(), std::string("An operation's ") + name + " must be an object.");
    return value.As<Napi::Object>();
  }

  /**
   * compile({ operations: [{ kernel, operands: { name: [storage, offset, shape] }, attributes }], buffers, slots,
   * constants, written }); a storage is a number: buffers first, then slots, then the table of constants. `written` lists those
   * that a run changes; left out: any may be.
   */
  Napi::Value compile(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    if (!info[0].IsObject()) throw type_error(env, "A program must be an object.");
    const Napi::Object spec = info[0].As<Napi::Object>();
    auto program = std::make_shared<Program>(ledger_);
    try {
      std::vector<std::shared_ptr<Allocation>> storages;
      const Napi::Array buffers = list_in(spec, "buffers");
      for (uint32_t i = 0; i < buffers.Length(); i++) {
        const Buffer& buffer = buffer_of(buffers.Get(i));
        storages.push_back(buffer.allocation);
        if (storages.back() && buffer.commands != commands_) throw type_error(env, OF_ANOTHER);
        if (!storages.back()) throw Napi::Error::New(env, "A buffer of the program was disposed of.");
      }
      const Napi::Array slots = list_in(spec, "slots");
      for (uint32_t i = 0; i < slots.Length(); i++) {
        storages.push_back(program->own(static_cast<size_t>(whole(slots.Get(i), "slot", 0, MOST_ELEMENTS)) * 4));
      }
      const Napi::Float32Array constants =
          array_of<Napi::Float32Array>(spec.Get("constants"), napi_float32_array, "constants must be a Float32Array");
      if (constants.ElementLength() > 0) {
        storages.push_back(program->own(constants.ByteLength()));
        std::memcpy(storages.back()->data(), constants.Data(), constants.ByteLength());
      }
      const Napi::Array operations = list_in(spec, "operations");
      for (uint32_t i = 0; i < operations.Length(); i++) {
        if (!operations.Get(i).IsObject()) throw type_error(env, "An operation must be an object.");
        add(env, *program, operations.Get(i).As<Napi::Object>(), storages);
      }
      const Napi::Value written = spec.Get("written");
      const int64_t last = static_cast<int64_t>(storages.size()) - 1;
      if (written.IsArray()) {
        const Napi::Array numbers = written.As<Napi::Array>();
        for (uint32_t i = 0; i < numbers.Length(); i++) {
          program->writes(storages[static_cast<size_t>(whole(numbers.Get(i), "written", 0, last))]);
        }
      } else {
        for (const auto& storage : storages) program->writes(storage);
      }
      program->finish();
    } catch (const std::bad_alloc&) {
      throw Napi::RangeError::New(env, "There is no memory for the temporaries of the program.");
    }
    const Napi::Object object = env.GetInstanceData<Classes>()->executable.New({});
    Executable& executable = *Executable::Unwrap(object);
    executable.program = std::move(program);
    executable.commands = commands_;
    return object;
  }

  static void add(Napi::Env env, Program& program, const Napi::Object& operation,
                  const std::vector<std::shared_ptr<Allocation>>& storages) {
    if (!operation.Get("kernel").IsString()) throw type_error(env, "An operation's kernel must be a name.");
    const std::string name = operation.Get("kernel").As<Napi::String>().Utf8Value();
    const Kernel* kernel = find_kernel(name);
    if (!kernel) throw type_error(env, "The native engine has no kernel '" + name + "'." + OLDER);
    const Napi::Object operands = object_in(operation, "operands");
    expect_known(operands, *kernel, "operand", kernel->operands, MAX_OPERANDS);
    std::vector<Window> windows(MAX_OPERANDS);
    for (int i = 0; i < MAX_OPERANDS && kernel->operands[i]; i++) {
      const Napi::Value value = operands.Get(kernel->operands[i]);
      if (value.IsUndefined()) {
        if (may_be_left_out(name, kernel->operands[i])) continue;
        throw type_error(env, name + ": operand " + kernel->operands[i] + " is missing." + OLDER);
      }
      if (!value.IsArray()) throw type_error(env, name + ": operand " + kernel->operands[i] + " must be a list.");
      const Napi::Array parts = value.As<Napi::Array>();
      const int64_t storage = whole(parts.Get(0u), "storage", 0, static_cast<int64_t>(storages.size()) - 1);
      windows[i].allocation = storages[static_cast<size_t>(storage)];
      windows[i].offset = whole(parts.Get(1u), "offset", 0, MOST_ELEMENTS);
      if (!parts.Get(2u).IsArray()) throw type_error(env, name + ": the shape of an operand must be a list.");
      const Napi::Array shape = parts.Get(2u).As<Napi::Array>();
      if (shape.Length() > MAX_RANK) throw type_error(env, name + ": an operand has too many dimensions.");
      for (uint32_t d = 0; d < shape.Length(); d++) {
        windows[i].shape.push_back(whole(shape.Get(d), "extent", 1, MOST_ELEMENTS));
      }
    }
    const Napi::Object given = object_in(operation, "attributes");
    const char* known[MAX_ATTRIBUTES];
    for (int i = 0; i < MAX_ATTRIBUTES; i++) known[i] = kernel->attributes[i].name;
    expect_known(given, *kernel, "attribute", known, MAX_ATTRIBUTES);
    Attribute attributes[MAX_ATTRIBUTES];
    for (int i = 0; i < MAX_ATTRIBUTES && kernel->attributes[i].name; i++) {
      attributes[i] = attribute_of(given.Get(kernel->attributes[i].name), *kernel, kernel->attributes[i]);
    }
    program.add(*kernel, windows, attributes);
  }

  /** Resolves when all that was asked for is done. */
  Napi::Value finish(const Napi::CallbackInfo& info) {
    return commands_->in_order([](const std::atomic<int32_t>&) { return int64_t{0}; }, info.This().As<Napi::Object>());
  }

  Napi::Value memory(const Napi::CallbackInfo& info) {
    Napi::Object result = Napi::Object::New(info.Env());
    result.Set("buffers", static_cast<double>(ledger_->buffers.load()));
    result.Set("bytes", static_cast<double>(ledger_->bytes.load()));
    result.Set("peakBytes", static_cast<double>(ledger_->peak.load()));
    return result;
  }

  std::shared_ptr<Ledger> ledger_;
  std::shared_ptr<Commands> commands_;
};

/** The machine, and what of it is used. Throws where LFM_CPU or LFM_THREADS cannot be followed. */
Napi::Value info(const Napi::CallbackInfo& call) {
  const Napi::Env env = call.Env();
  const Cpu& machine = cpu();
  Napi::Object result = Napi::Object::New(env);
  result.Set("cpuTarget", machine.chosen);
  Napi::Array supported = Napi::Array::New(env, machine.supported.size());
  for (uint32_t i = 0; i < machine.supported.size(); i++) supported.Set(i, machine.supported[i]);
  result.Set("supportedTargets", supported);
  result.Set("threads", machine.threads);
  Napi::Object caches = Napi::Object::New(env);
  const char* names[] = {"l1", "l2", "l3"};
  for (int i = 0; i < 3; i++) caches.Set(names[i], static_cast<double>(machine.caches[i]));
  result.Set("cacheSizes", caches);
  result.Set("name", machine.name);
  Napi::Array kernels = Napi::Array::New(env);
  for (int i = 0; i < machine.table->kernel_count; i++) {
    kernels.Set(static_cast<uint32_t>(i), machine.table->kernels[i]->name);
  }
  result.Set("kernels", kernels);
  return result;
}

/** fmaPeak(milliseconds, threads): GFLOP/s of a multiply-add loop in registers; blocks the event loop that long. */
Napi::Value fma_peak(const Napi::CallbackInfo& call) {
  const int64_t milliseconds = whole(call[0], "milliseconds", 0, 60000);
  ThreadPool& pool = ThreadPool::get();
  const int64_t threads = whole(call[1], "threads", 1, pool.count);
  const KernelTable& table = *cpu().table;
  std::lock_guard<std::mutex> turn(pool.turn);
  using Clock = std::chrono::steady_clock;
  const Clock::time_point end = Clock::now() + std::chrono::milliseconds(milliseconds);
  struct Context {
    const KernelTable& table;
    Clock::time_point end;
    std::atomic<double> rate{0};
  } context{table, end};
  // A worker that takes two tasks would find the time used up: each task's rate counts by itself.
  const auto task = [](void* pointer, int64_t, int) {
    Context& c = *static_cast<Context*>(pointer);
    const Clock::time_point start = Clock::now();
    double flops = 0;
    do flops += c.table.multiply_adds(100000);
    while (Clock::now() < c.end);
    const double rate = flops / std::chrono::duration<double>(Clock::now() - start).count();
    double sum = c.rate.load();
    while (!c.rate.compare_exchange_weak(sum, sum + rate)) {
    }
  };
  if (threads == 1) {
    task(&context, 0, 0);
  } else {
    pool.run(&pool, threads, task, &context);
  }
  return Napi::Number::New(call.Env(), context.rate.load() / 1e9);
}

/**
 * lineRoundTrip(): nanoseconds in which two threads hand a cache line over and back, the quickest of some tries; 0 where
 * there is one thread. A virtual machine's cores may be under one cache or not, and that may change while it runs.
 */
Napi::Value line_round_trip(const Napi::CallbackInfo& call) {
  constexpr int TRIES = 20, TRIPS = 100;
  using Clock = std::chrono::steady_clock;
  ThreadPool& pool = ThreadPool::get();
  if (pool.count == 1) return Napi::Number::New(call.Env(), 0);
  std::lock_guard<std::mutex> turn(pool.turn);
  struct alignas(64) Context {
    std::atomic<int64_t> line{0};
    double best = 1e9;
  } context;
  const auto task = [](void* pointer, int64_t index, int) {
    Context& c = *static_cast<Context*>(pointer);
    int64_t at = 0;
    if (index == 1) {
      // answers every odd number with the next, until it is told to end
      for (int64_t seen = 0; seen >= 0; seen = c.line.load(std::memory_order_acquire)) {
        if (seen % 2 == 1) c.line.store(seen + 1, std::memory_order_release);
      }
      return;
    }
    const Clock::time_point begin = Clock::now();
    // threads that share a core with others wait for them at every trip
    for (int i = 0; i < TRIES && (i == 0 || Clock::now() - begin < std::chrono::milliseconds(5)); i++) {
      const Clock::time_point start = Clock::now();
      for (int trip = 0; trip < TRIPS; trip++, at += 2) {
        c.line.store(at + 1, std::memory_order_release);
        while (c.line.load(std::memory_order_acquire) != at + 2) {
        }
      }
      c.best = std::min(c.best, std::chrono::duration<double, std::nano>(Clock::now() - start).count() / TRIPS);
    }
    c.line.store(-1, std::memory_order_release);
  };
  pool.run(&pool, 2, task, &context);
  return Napi::Number::New(call.Env(), context.best);
}

/**
 * quietly(work): calls work, which does all it does before it returns; { result, printed }: what it returned, and what was
 * written to stderr meanwhile, which is not there.
 */
Napi::Value quietly(const Napi::CallbackInfo& call) {
  if (!call[0].IsFunction()) throw type_error(call.Env(), "work must be a function.");
  StderrCapture capture;
  const Napi::Value result = call[0].As<Napi::Function>().Call({});
  Napi::Object both = Napi::Object::New(call.Env());
  both.Set("result", result);
  both.Set("printed", capture.end());
  return both;
}

/**
 * trimMemory(): gives the system back what the C library keeps of memory that was freed. Drivers compile on several threads,
 * each of which has an arena of its own, and what one freed there does not serve the others.
 */
Napi::Value trim_memory(const Napi::CallbackInfo& call) {
#if defined(__GLIBC__)
  malloc_trim(0);
#endif
  return call.Env().Undefined();
}

/** testMath(name, x): a function of native/simd/math.h on each element, for its accuracy test. */
Napi::Value test_math(const Napi::CallbackInfo& call) {
  const std::string name = call[0].ToString().Utf8Value();
  const auto x = array_of<Napi::Float32Array>(call[1], napi_float32_array, "x must be a Float32Array");
  Napi::Float32Array y = Napi::Float32Array::New(call.Env(), x.ElementLength());
  if (!cpu().table->evaluate(name.c_str(), x.Data(), y.Data(), static_cast<int64_t>(x.ElementLength()))) {
    throw type_error(call.Env(), "There is no vector function '" + name + "'.");
  }
  return y;
}

/** testPhilox(counter, key): four words, for the known-answer test. */
Napi::Value test_philox(const Napi::CallbackInfo& call) {
  const auto counter = array_of<Napi::Uint32Array>(call[0], napi_uint32_array, "counter must be a Uint32Array");
  const auto key = array_of<Napi::Uint32Array>(call[1], napi_uint32_array, "key must be a Uint32Array");
  if (counter.ElementLength() != 4 || key.ElementLength() != 2) {
    throw type_error(call.Env(), "4 and 2 words are expected.");
  }
  Napi::Uint32Array words = Napi::Uint32Array::New(call.Env(), 4);
  cpu().table->philox(counter.Data(), key.Data(), words.Data());
  return words;
}

/** testQuota(root): processors that the control groups under another root allow, for its test; Infinity: no limit. */
Napi::Value test_quota(const Napi::CallbackInfo& call) {
  return Napi::Number::New(call.Env(), quota(call[0].ToString().Utf8Value()));
}

template <Napi::Value (*function)(const Napi::CallbackInfo&)>
Napi::Value safe(const Napi::CallbackInfo& call) {
  return guarded(call.Env(), [&] { return function(call); });
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  auto* classes = new Classes();
  // before all other hooks, so that it runs after them: the queues are closed by then
  ThreadPool::hold();
  napi_add_env_cleanup_hook(env, [](void*) { ThreadPool::let_go(); }, classes);
  classes->buffer = Napi::Persistent(Buffer::define(env));
  classes->executable = Napi::Persistent(Executable::define(env));
  classes->stop = Napi::Persistent(Stop::define(env));
  env.SetInstanceData(classes);
  exports.Set("Device", Device::define(env));
  exports.Set("Stop", classes->stop.Value());
  exports.Set("info", Napi::Function::New<safe<info>>(env, "info"));
  exports.Set("fmaPeak", Napi::Function::New<safe<fma_peak>>(env, "fmaPeak"));
  exports.Set("lineRoundTrip", Napi::Function::New<safe<line_round_trip>>(env, "lineRoundTrip"));
  exports.Set("quietly", Napi::Function::New<safe<quietly>>(env, "quietly"));
  exports.Set("trimMemory", Napi::Function::New<safe<trim_memory>>(env, "trimMemory"));
  exports.Set("testMath", Napi::Function::New<safe<test_math>>(env, "testMath"));
  exports.Set("testQuota", Napi::Function::New<safe<test_quota>>(env, "testQuota"));
  exports.Set("testPhilox", Napi::Function::New<safe<test_philox>>(env, "testPhilox"));
  return exports;
}

Napi::Object safe_init(Napi::Env env, Napi::Object exports) {
  return guarded(env, [&] { return init(env, exports); });
}

}  // namespace

NODE_API_MODULE(lfm, safe_init)

}  // namespace lfm
