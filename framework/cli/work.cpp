// `thimble work`: what engines start, with the parts of a run.

#include <array>
#include <csignal>
#include <cstdio>

#include <fmt/format.h>
#include <unistd.h>

#include <thimble/run/work.hpp>

#include "cli.hpp"

namespace thimble::cli {
namespace {

constexpr std::array kFatal{SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV};

/// Made beforehand: a handler may do no more than write.
struct LastWords {
  int file = -1;
  std::array<std::string, kFatal.size()> lines;
};
LastWords last_words;

void say_last_words(int signal) {
  for (std::size_t i = 0; i < kFatal.size(); ++i)
    if (kFatal[i] == signal) {
      [[maybe_unused]] const auto written =
          ::write(last_words.file, last_words.lines[i].data(), last_words.lines[i].size());
    }
  std::raise(signal);  // whose handling is the system's again
}

/// A worker that crashes says so in its shard. Its stack may be what it has run out of.
void speak_when_dying(const Shard& shard) {
  static std::array<char, 1 << 16> stack;
  const stack_t own{stack.data(), 0, stack.size()};
  ::sigaltstack(&own, nullptr);
  last_words.file = shard.descriptor();
  for (std::size_t i = 0; i < kFatal.size(); ++i) {
    last_words.lines[i] = Shard::death_line(kFatal[i]);
    struct sigaction action {};
    action.sa_handler = say_last_words;
    action.sa_flags = SA_ONSTACK | static_cast<int>(SA_RESETHAND) | SA_NODEFER;
    ::sigaction(kFatal[i], &action, nullptr);
  }
}

}  // namespace

int work(const WorkArguments& arguments, const World& world) {
  WorkOptions options;
  options.run = arguments.run;
  options.jobs = jobs_or_all(arguments.jobs);
  options.device = device_named(arguments.device);
  require_here(options.device);
  options.say = [](const std::string& line) { fmt::print(stderr, "{}\n", line); };
  options.begun = speak_when_dying;
  for (const std::string& part : arguments.parts) {
    options.part = part;
    thimble::work(options, world.loader);
  }
  return 0;
}

}  // namespace thimble::cli
