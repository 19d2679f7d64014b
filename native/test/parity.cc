/**
 * The parity cases without Node: runs the kernels of a file that test/parity/write-vectors.ts wrote and compares with the
 * float64 references in it. For targets that this machine only emulates: see scripts/test-arm64.mjs.
 *
 *     lfm-parity VECTORS | --queues | --race | --outside | --overflow
 *
 * All but the first are for builds with sanitizers (scripts/sanitize.mjs): devices that work at the same time and end in the
 * middle; and faults that must be found: a race, a kernel that reads behind a buffer's end, an integer that overflows.
 * The file is a list of cases: lines of words, and after an operand's line its values, 4 bytes an element; of a result
 * then the reference's, 8 bytes for each float and 4 for each word.
 *
 *     case KERNEL TOLERANCE RUNS LABEL…
 *     attribute NAME number X | attribute NAME name X | attribute NAME list N X…
 *     operand NAME float|word given|result RANK EXTENT…
 *     end
 */

#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "cpu.h"
#include "executor.h"
#include "queue.h"
#include "thread_pool.h"

namespace {

using lfm::Allocation;
using lfm::Attribute;
using lfm::Kernel;
using lfm::Window;

/** Elements before and after each operand that must stay as they are. AddressSanitizer watches over reads as well, without. */
#if defined(__SANITIZE_ADDRESS__)
constexpr int64_t MARGIN = 0, GRAIN = 1;
#else
constexpr int64_t MARGIN = 64, GRAIN = 64;
#endif
constexpr uint32_t SENTINEL = 0xdeadbeef;

struct Result {
  std::string operand;
  bool words;
  std::vector<double> floats;
  std::vector<uint32_t> whole;
};

struct Case {
  const Kernel* kernel = nullptr;
  std::string name, label;
  double tolerance = 0;
  int runs = 1;
  std::vector<Window> windows = std::vector<Window>(lfm::MAX_OPERANDS);
  Attribute attributes[lfm::MAX_ATTRIBUTES];
  std::map<std::string, int> operands;
  std::vector<Result> results;
};

int index_of(const Kernel& kernel, const std::string& operand) {
  for (int i = 0; i < lfm::MAX_OPERANDS && kernel.operands[i]; i++) {
    if (operand == kernel.operands[i]) return i;
  }
  throw std::runtime_error(std::string(kernel.name) + " has no operand " + operand);
}

void read_attribute(std::istringstream& words, Case& one) {
  std::string name, kind;
  words >> name >> kind;
  int index = 0;
  while (index < lfm::MAX_ATTRIBUTES && one.kernel->attributes[index].name &&
         name != one.kernel->attributes[index].name) {
    index++;
  }
  // a contract may have attributes that the engine does not need
  if (index == lfm::MAX_ATTRIBUTES || !one.kernel->attributes[index].name) return;
  Attribute& attribute = one.attributes[index];
  if (kind == "list") {
    words >> attribute.count;
    for (int i = 0; i < attribute.count; i++) words >> attribute.list[i];
  } else if (kind == "name") {
    std::string choice;
    words >> choice;
    const char* const* const choices = one.kernel->attributes[index].choices;
    int number = 0;
    while (choices[number] && choice != choices[number]) number++;
    if (!choices[number]) throw std::runtime_error(one.name + ": " + name + " cannot be " + choice);
    attribute.number = number;
  } else {
    words >> attribute.number;
  }
}

void read_operand(std::istringstream& words, std::ifstream& file, const std::shared_ptr<lfm::Ledger>& ledger, Case& one) {
  std::string name, type, role;
  int rank = 0;
  words >> name >> type >> role >> rank;
  Window window;
  int64_t size = 1;
  for (int d = 0; d < rank; d++) {
    int64_t extent = 0;
    words >> extent;
    window.shape.push_back(extent);
    size *= extent;
  }
  const int64_t all = (size + GRAIN - 1) / GRAIN * GRAIN + 2 * MARGIN;
  window.allocation = std::make_shared<Allocation>(ledger, static_cast<size_t>(all) * 4);
  window.offset = MARGIN;
  uint32_t* const data = static_cast<uint32_t*>(window.allocation->data());
  for (int64_t i = 0; i < all; i++) data[i] = SENTINEL;
  file.read(reinterpret_cast<char*>(data + MARGIN), size * 4);
  if (role == "result") {
    Result result{name, type == "word", {}, {}};
    if (result.words) {
      result.whole.resize(static_cast<size_t>(size));
      file.read(reinterpret_cast<char*>(result.whole.data()), size * 4);
    } else {
      result.floats.resize(static_cast<size_t>(size));
      file.read(reinterpret_cast<char*>(result.floats.data()), size * 8);
    }
    one.results.push_back(result);
  }
  one.operands[name] = index_of(*one.kernel, name);
  one.windows[static_cast<size_t>(one.operands[name])] = window;
}

/** What is wrong with a result; empty: nothing. Floats by the relative norm of the difference, words exactly. */
std::string fault(const Case& one, const Result& result) {
  const Window& window = one.windows[static_cast<size_t>(one.operands.at(result.operand))];
  const uint32_t* const data = static_cast<const uint32_t*>(window.allocation->data());
  const int64_t size = static_cast<int64_t>(result.words ? result.whole.size() : result.floats.size());
  const int64_t all = static_cast<int64_t>(window.allocation->bytes() / 4);
  for (int64_t i = 0; i < all; i++) {
    if ((i < MARGIN || i >= MARGIN + size) && data[i] != SENTINEL) return "wrote outside the operand";
  }
  double difference = 0, norm = 0;
  for (int64_t i = 0; i < size; i++) {
    if (result.words) {
      if (data[MARGIN + i] != result.whole[static_cast<size_t>(i)]) return "another word at " + std::to_string(i);
      continue;
    }
    float value;
    std::memcpy(&value, data + MARGIN + i, 4);
    const double want = result.floats[static_cast<size_t>(i)];
    if (!std::isfinite(want)) {
      if (!(value == want || (std::isnan(value) && std::isnan(want)))) return "finite at " + std::to_string(i);
      continue;
    }
    difference += (value - want) * (value - want);
    norm += want * want;
  }
  const double error = norm > 0 ? std::sqrt(difference / norm) : std::sqrt(difference);
  if (error <= one.tolerance || result.words) return "";
  return "relative error " + std::to_string(error) + ", " + std::to_string(one.tolerance) + " allowed";
}

int run(const char* path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error(std::string("cannot read ") + path);
  const auto ledger = std::make_shared<lfm::Ledger>();
  int passed = 0, failed = 0;
  std::map<std::string, int> kernels;
  Case one;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string word;
    words >> word;
    if (word == "case") {
      one = Case();
      words >> one.name >> one.tolerance >> one.runs;
      std::getline(words, one.label);
      one.kernel = lfm::find_kernel(one.name);
      if (!one.kernel) throw std::runtime_error("no kernel " + one.name);
    } else if (word == "attribute") {
      read_attribute(words, one);
    } else if (word == "operand") {
      read_operand(words, file, ledger, one);
    } else if (word == "end") {
      lfm::Program program(ledger);
      program.add(*one.kernel, one.windows, one.attributes);
      program.finish();
      const std::atomic<int32_t> never(0);
      program.run(one.runs, never, never, nullptr);
      kernels[one.name]++;
      std::string faults;
      for (const Result& result : one.results) {
        const std::string wrong = fault(one, result);
        if (!wrong.empty()) faults += " " + result.operand + ": " + wrong + ";";
      }
      if (faults.empty()) {
        passed++;
      } else {
        failed++;
        std::printf("FAILED %s:%s:%s\n", one.name.c_str(), one.label.c_str(), faults.c_str());
      }
    } else {
      throw std::runtime_error("not a file of parity cases: " + line.substr(0, 80));
    }
  }
  std::printf("%s: %d cases of %d kernels and composites passed, %d failed\n", lfm::cpu().chosen.c_str(), passed,
              static_cast<int>(kernels.size()), failed);
  return failed > 0 || passed == 0;
}

/** Threads of the pool that add to one number without asking each other: what a build that looks for races must find. */
int plant_race() {
  struct Context {
    int64_t sum = 0;
  } context;
  lfm::ThreadPool& pool = lfm::ThreadPool::get();
  const auto add = [](void* pointer, int64_t index, int) { static_cast<Context*>(pointer)->sum += index; };
  for (int i = 0; i < 100; i++) pool.run(&pool, 1000, add, &context);
  std::printf("the sum is %lld\n", static_cast<long long>(context.sum));
  return 0;
}

/** A kernel that reads a row behind the end of a buffer: what AddressSanitizer must find. */
int plant_outside() {
  constexpr int64_t LENGTH = 1024, ROW = 16;
  const auto ledger = std::make_shared<lfm::Ledger>();
  std::vector<Window> windows(lfm::MAX_OPERANDS);
  const lfm::Kernel& kernel = *lfm::find_kernel("accumulate");
  windows[static_cast<size_t>(index_of(kernel, "part"))] = {std::make_shared<Allocation>(ledger, 4 * LENGTH), 0, {LENGTH}};
  windows[static_cast<size_t>(index_of(kernel, "total"))] = {
      std::make_shared<Allocation>(ledger, 4 * (LENGTH + ROW)), 0, {LENGTH + ROW}};
  const Attribute attributes[lfm::MAX_ATTRIBUTES] = {};
  lfm::Program program(ledger);
  program.add(kernel, windows, attributes);
  program.finish();
  const std::atomic<int32_t> never(0);
  program.run(1, never, never, nullptr);
  std::printf("nothing stopped it\n");
  return 0;
}

/** What UndefinedBehaviourSanitizer must find. */
int plant_overflow(int count) {
  int32_t number = INT32_MAX - 1;
  number += count;
  std::printf("the number is %d\n", number);
  return 0;
}

/** Two devices' queues that run programs, copy and read at the same time, and close in the middle; two holders of the pool. */
int use_queues() {
  struct Asked : lfm::Command {
    explicit Asked(std::function<void(const std::atomic<int32_t>&)> work) : work(std::move(work)) {}
    void execute(const std::atomic<int32_t>& closing) override { work(closing); }
    std::function<void(const std::atomic<int32_t>&)> work;
  };
  const lfm::Kernel* const kernel = lfm::find_kernel("accumulate");
  for (int life = 0; life < 20; life++) {
    lfm::ThreadPool::hold();
    std::vector<std::thread> users;
    for (int user = 0; user < 2; user++) {
      users.emplace_back([&, user] {
        std::atomic<int> done{0};
        const auto ledger = std::make_shared<lfm::Ledger>();
        const auto program = std::make_shared<lfm::Program>(ledger);
        std::vector<lfm::Window> windows(lfm::MAX_OPERANDS);
        const int64_t length = 100000;
        for (int i = 0; i < 2; i++) {
          windows[static_cast<size_t>(i)] = {std::make_shared<lfm::Allocation>(ledger, 4 * length), 0, {length}};
        }
        const lfm::Attribute attributes[lfm::MAX_ATTRIBUTES] = {};
        program->add(*kernel, windows, attributes);
        program->finish();
        std::atomic<int32_t> stop{0};
        {
          lfm::Queue queue(
              [](void* receiver, lfm::Command* command) {
                delete command;
                static_cast<std::atomic<int>*>(receiver)->fetch_add(1);
              },
              &done);
          for (int i = 0; i < 10; i++) {
            queue.push(new Asked([=, &stop](const std::atomic<int32_t>& closing) { program->run(20, stop, closing, nullptr); }));
          }
          queue.push(new Asked([=, &stop](const std::atomic<int32_t>& closing) {
            program->run(int64_t{1} << 40, stop, closing, nullptr);
          }));
          while (done.load() < 5) std::this_thread::yield();
          if (user == 0) stop.store(1);
        }
      });
    }
    for (std::thread& user : users) user.join();
    lfm::ThreadPool::let_go();
  }
  std::printf("queues: 20 lives of two devices\n");
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "lfm-parity VECTORS | --queues | --race | --outside | --overflow\n");
    return 2;
  }
  try {
    const std::string what = arguments[1];
    if (what == "--race") return plant_race();
    if (what == "--outside") return plant_outside();
    if (what == "--overflow") return plant_overflow(count);
    if (what == "--queues") return use_queues();
    return run(arguments[1]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "lfm-parity: %s\n", error.what());
    return 2;
  }
}
