#include <csignal>
#include <filesystem>

#include <unistd.h>

#include <thimble/core/stop.hpp>

#include "program.hpp"

namespace {

/// The first request lets running candidates finish, but for programs they wait for; the second
/// ends the program at once.
void stop_on_signal(int) {
  if (thimble::request_stop()) _exit(thimble::cli::kInterrupted);
}

/// The program lies in libexec/thimble/; everything else is found from there.
std::filesystem::path installation_prefix() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path().parent_path();
}

}  // namespace

int main(int count, char** arguments) {
  std::signal(SIGINT, stop_on_signal);
  std::signal(SIGTERM, stop_on_signal);
  return thimble::cli::run_program(count, arguments, installation_prefix());
}
