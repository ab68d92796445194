#pragma once

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <sys/wait.h>
#include <unistd.h>

namespace thimble::testing {

struct Finished {
  int code = 0;  ///< 128 + signal when it was killed
  std::string output;
  std::string errors;
};

inline std::string content(const std::filesystem::path& file) {
  std::ifstream stream{file, std::ios::binary};
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

/// Runs a command as a shell does, in a folder.
inline Finished shell(const std::string& line, const std::filesystem::path& folder) {
  std::string errors = (std::filesystem::temp_directory_path() / "thimble-stderr-XXXXXX").string();
  ::close(mkstemp(errors.data()));
  const std::string command =
      "cd '" + folder.string() + "' && { " + line + "\n} 2>'" + errors + "'";
  Finished finished;
  FILE* const pipe = ::popen(command.c_str(), "r");
  std::array<char, 4096> block{};
  while (const std::size_t count = std::fread(block.data(), 1, block.size(), pipe))
    finished.output.append(block.data(), count);
  const int status = ::pclose(pipe);
  finished.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  finished.errors = content(errors);
  std::filesystem::remove(errors);
  return finished;
}

/// Runs `thimble ARGUMENTS` as a shell does, in a folder.
inline Finished thimble_program(const std::string& arguments,
                                const std::filesystem::path& folder = ".",
                                const std::string& environment = "") {
  return shell(environment + " '" THIMBLE_TEST_PROGRAM "' " + arguments, folder);
}

}  // namespace thimble::testing
