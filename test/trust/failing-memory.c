/*
 * For LD_PRELOAD: the n-th allocation of the native engine's memory fails (LFM_FAIL_AT; 0: none), and from there on all do
 * where LFM_FAIL_HOW is "rest". Only the engine asks for aligned memory in that way; JavaScript's engine is left alone.
 * Writes the number of allocations to the file of LFM_FAIL_COUNT at the end.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static long calls;

static int of_the_engine(void* from) {
  Dl_info info;
  return dladdr(from, &info) && info.dli_fname && strstr(info.dli_fname, "lfm.node");
}

void* aligned_alloc(size_t alignment, size_t size) {
  static void* (*real)(size_t, size_t);
  if (!real) real = (void* (*)(size_t, size_t))dlsym(RTLD_NEXT, "aligned_alloc");
  if (of_the_engine(__builtin_return_address(0))) {
    const char* at = getenv("LFM_FAIL_AT");
    const char* how = getenv("LFM_FAIL_HOW");
    const long turn = at ? atol(at) : 0;
    const long call = __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST);
    if (turn > 0 && (call == turn || (call > turn && how && strcmp(how, "rest") == 0))) return NULL;
  }
  return real(alignment, size);
}

__attribute__((destructor)) static void tell(void) {
  const char* path = getenv("LFM_FAIL_COUNT");
  FILE* file = path && calls > 0 ? fopen(path, "w") : NULL;
  if (!file) return;
  fprintf(file, "%ld", calls);
  fclose(file);
}
