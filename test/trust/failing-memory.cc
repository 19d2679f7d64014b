/*
 * For LD_PRELOAD: the n-th allocation of the native engine fails (LFM_FAIL_AT; 0: none), and from there on all do where
 * LFM_FAIL_HOW is "rest". Its own are buffers (aligned memory, which only it asks for in that way), and objects, lists and texts,
 * by itself or by way of the C++ library; JavaScript's engine is left alone. They are counted anew when LFM_FAIL_ROUND changes.
 * The number of a round, and of the last one when the process ends, goes to the file of LFM_FAIL_COUNT.
 */
#include <dlfcn.h>
#include <unwind.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

namespace {

std::atomic<long> calls, round_of_calls;

void tell(long count) {
  const char* const path = std::getenv("LFM_FAIL_COUNT");
  FILE* const file = path ? std::fopen(path, "w") : nullptr;
  if (!file) return;
  std::fprintf(file, "%ld", count);
  std::fclose(file);
}

enum Owner { OTHER, LIBRARY, ENGINE };

/** Whose code lies at an address. Asking the loader is slow, and Node allocates a lot: a page is asked for once. */
Owner owner_of(const void* address) {
  static std::atomic<uintptr_t> known[1 << 16];
  const uintptr_t page = reinterpret_cast<uintptr_t>(address) >> 12;
  std::atomic<uintptr_t>& slot = known[page * 0x9e3779b97f4a7c15u >> 48];
  const uintptr_t entry = slot.load(std::memory_order_relaxed);
  if (entry >> 2 == page) return static_cast<Owner>(entry & 3);
  Dl_info info;
  const char* const file = dladdr(address, &info) && info.dli_fname ? info.dli_fname : "";
  Dl_info own;
  dladdr(reinterpret_cast<const void*>(&owner_of), &own);
  const bool between = std::strstr(file, "libstdc++") || std::strcmp(file, own.dli_fname) == 0;
  const Owner owner = std::strstr(file, "lfm.node") ? ENGINE : between ? LIBRARY : OTHER;
  slot.store(page << 2 | owner, std::memory_order_relaxed);
  return owner;
}

/** Looks past the C++ library, whose texts and lists allocate by themselves, for who called it. */
_Unwind_Reason_Code look(_Unwind_Context* context, void* caller) {
  const Owner owner = owner_of(reinterpret_cast<const void*>(_Unwind_GetIP(context)));
  *static_cast<Owner*>(caller) = owner;
  return owner == LIBRARY ? _URC_NO_REASON : _URC_END_OF_STACK;
}

bool asked_by_engine(const void* caller) {
  Owner owner = owner_of(caller);
  if (owner == LIBRARY) _Unwind_Backtrace(look, &owner);
  return owner == ENGINE;
}

/** Whether it is the turn of this allocation to fail. */
bool fails(const void* caller) {
  static thread_local bool inside;
  if (inside) return false;
  inside = true;
  bool turn = false;
  if (asked_by_engine(caller)) {
    const char* const at = std::getenv("LFM_FAIL_AT");
    const char* const how = std::getenv("LFM_FAIL_HOW");
    const char* const round = std::getenv("LFM_FAIL_ROUND");
    const long number = at ? std::atol(at) : 0, now = round ? std::atol(round) : 0;
    if (round_of_calls.exchange(now) != now) tell(calls.exchange(0));
    const long call = ++calls;
    turn = number > 0 && (call == number || (call > number && how && std::strcmp(how, "rest") == 0));
  }
  inside = false;
  return turn;
}

__attribute__((destructor)) void tell_last() {
  if (calls > 0) tell(calls);
}

}  // namespace

extern "C" void* aligned_alloc(size_t alignment, size_t size) {
  using Real = void* (*)(size_t, size_t);
  static const Real real = reinterpret_cast<Real>(dlsym(RTLD_NEXT, "aligned_alloc"));
  return fails(__builtin_return_address(0)) ? nullptr : real(alignment, size);
}

void* operator new(size_t size) {
  void* const memory = fails(__builtin_return_address(0)) ? nullptr : std::malloc(size);
  if (!memory) throw std::bad_alloc();
  return memory;
}
