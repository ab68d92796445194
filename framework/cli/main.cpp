#include <filesystem>

#include "program.hpp"

int main(int count, char** arguments) {
  thimble::cli::stop_on_signals();
  // The program lies in libexec/thimble/; everything else is found from there.
  const auto self = std::filesystem::read_symlink("/proc/self/exe");
  return thimble::cli::run_program(count, arguments,
                                   self.parent_path().parent_path().parent_path());
}
