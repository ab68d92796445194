#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <thimble/core/export.hpp>

namespace thimble {

/// What this machine calls itself, or "unknown".
THIMBLE_EXPORT std::string host_name();

/// Whether a process is known to be over. Of one of another machine nothing is known.
THIMBLE_EXPORT bool is_over(const std::string& host, std::int64_t process);

/// Where the shell would find a program.
THIMBLE_EXPORT std::optional<std::filesystem::path> find_program(const std::string& name);

/// What a program may use before it is killed.
struct ProcessLimits {
  std::chrono::milliseconds time{60'000};
  std::size_t output_bytes = std::size_t{1} << 20;  ///< of either kind
  std::size_t file_bytes = std::size_t{1} << 30;    ///< of a file that it writes
  const std::atomic<bool>* is_unwanted =
      nullptr;  ///< set: it is killed, as when a stop is requested
};

/// How a program ended, and what it said.
struct ProcessResult {
  enum class End : std::uint8_t { exited, killed, out_of_time, too_much_output };
  End end = End::exited;
  int code = 0;        ///< exit status, or the number of the signal
  std::string output;  ///< as much of it as was allowed
  std::string errors;

  bool succeeded() const { return end == End::exited && code == 0; }
};

/// Runs a program in a folder, without input, and waits for its end. It and its children are killed
/// when it exceeds a limit, and it is killed when the calling thread ends. Throws Error when it
/// cannot be started, and Interrupted, having killed it, as soon as a stop is requested or nobody
/// wants it any more. Thread safe.
THIMBLE_EXPORT ProcessResult run_process(const std::filesystem::path& program,
                                         const std::vector<std::string>& arguments,
                                         const std::filesystem::path& folder,
                                         const ProcessLimits& limits = {});

/// "gnuplot failed with code 1: what it complained of", "gnuplot took more than 60 s", ...
THIMBLE_EXPORT std::string failure_text(std::string_view name, const ProcessResult& result,
                                        const ProcessLimits& limits);

}  // namespace thimble
