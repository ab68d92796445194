#pragma once

#include <filesystem>

namespace thimble::cli {

constexpr int kFailed = 1;
constexpr int kInputWrong = 2;
constexpr int kInterrupted = 130;

/// All that `thimble ARGUMENTS` does, printed errors included; the first argument is the program's
/// name. Plugins, boards and templates lie below `prefix`. Returns the exit code.
int run_program(int count, const char* const* arguments, const std::filesystem::path& prefix);

/// From now on, the first SIGINT, SIGTERM or SIGHUP lets running candidates finish, but for
/// programs they wait for; the second ends the program at once. A SIGHUP that was ignored before
/// stays so.
void stop_on_signals();

}  // namespace thimble::cli
