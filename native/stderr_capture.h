// What is written to stderr while an object of this class lives, kept from it. Dawn writes warnings there that are for its own
// developers, and offers no other place for them. Text of other threads in that time is kept as well: the caller passes on
// what is not Dawn's. Where there is no file to keep it in, and on Windows, nothing is kept and stderr is as ever.
#pragma once

#include <string>

#ifndef _WIN32
#include <unistd.h>

#include <cstdio>
#endif

namespace lfm {

#ifdef _WIN32

class StderrCapture {
 public:
  std::string end() { return ""; }
};

#else

class StderrCapture {
 public:
  StderrCapture() : file_(std::tmpfile()) {
    if (!file_) return;
    std::fflush(stderr);
    saved_ = dup(STDERR_FILENO);
    if (saved_ >= 0 && dup2(fileno(file_), STDERR_FILENO) >= 0) return;
    if (saved_ >= 0) close(saved_);
    saved_ = -1;
  }
  StderrCapture(const StderrCapture&) = delete;
  ~StderrCapture() {
    restore();
    if (file_) std::fclose(file_);
  }

  /** Gives stderr back; returns what was written meanwhile. */
  std::string end() {
    restore();
    std::string text;
    if (!file_) return text;
    std::rewind(file_);
    char part[4096];
    for (size_t count; (count = std::fread(part, 1, sizeof part, file_)) > 0;) text.append(part, count);
    return text;
  }

 private:
  void restore() {
    if (saved_ < 0) return;
    std::fflush(stderr);
    dup2(saved_, STDERR_FILENO);
    close(saved_);
    saved_ = -1;
  }

  std::FILE* file_;
  int saved_ = -1;
};

#endif

}  // namespace lfm
