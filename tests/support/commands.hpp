#pragma once

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wordexp.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

#include <program.hpp>

#include "program.hpp"
#include "world.hpp"

namespace thimble::testing {

using Environment = std::vector<std::pair<std::string, std::string>>;

/// `thimble ARGUMENTS` under way in a process of its own. It is a fork of this one, which must have
/// a single thread: a start would take LibTorch a second. A few tests start the program itself.
class Command {
 public:
  /// Words, quotes and variables are read as a shell reads them.
  explicit Command(const std::string& arguments, const std::filesystem::path& folder = ".",
                   const Environment& environment = {})
      : process_{::fork()} {
    if (process_ == 0) run_and_exit(arguments, folder, environment);
  }

  void send(int signal) const { ::kill(process_, signal); }

  Finished wait() const {
    int status = 0;
    ::waitpid(process_, &status, 0);
    return {.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
            .output = content(output()),
            .errors = content(errors())};
  }

 private:
  std::filesystem::path output() const { return streams_.path() / "output"; }
  std::filesystem::path errors() const { return streams_.path() / "errors"; }

  static void redirect(int stream, const std::filesystem::path& file) {
    ::dup2(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), stream);
  }

  [[noreturn]] void run_and_exit(const std::string& arguments, const std::filesystem::path& folder,
                                 const Environment& environment) const {
    redirect(STDOUT_FILENO, output());
    redirect(STDERR_FILENO, errors());
    std::filesystem::current_path(folder);
    for (const auto& [name, value] : environment) ::setenv(name.c_str(), value.c_str(), 1);
    wordexp_t words{};
    if (::wordexp(("thimble " + arguments).c_str(), &words, WRDE_NOCMD | WRDE_UNDEF) != 0)
      ::_exit(127);
    cli::stop_on_signals();
    const int code =
        cli::run_program(static_cast<int>(words.we_wordc), words.we_wordv, THIMBLE_TEST_BINARY);
    std::fflush(nullptr);
#ifdef __SANITIZE_ADDRESS__
    ::wordfree(&words);
    __lsan_do_leak_check();
#endif
    ::_exit(code);
  }

  TemporaryFolder streams_;
  pid_t process_;
};

inline Finished thimble_command(const std::string& arguments,
                                const std::filesystem::path& folder = ".",
                                const Environment& environment = {}) {
  return Command{arguments, folder, environment}.wait();
}

/// `thimble run` prints its folder there.
inline std::string last_line(const Finished& finished) {
  const std::string& text = finished.output;
  const auto begin = text.rfind('\n', text.size() - 2) + 1;
  return text.substr(begin, text.size() - 1 - begin);
}

}  // namespace thimble::testing
