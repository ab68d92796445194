#include "program.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string_view>

#include <unistd.h>

#include <thimble/core/stop.hpp>
#include <thimble/core/text.hpp>

#include "cli.hpp"
#include "command_line.hpp"

namespace thimble::cli {
namespace {

std::vector<std::filesystem::path> plugin_folders(const std::filesystem::path& prefix) {
  std::vector<std::filesystem::path> folders{prefix / "lib" / "thimble" / "plugins"};
  if (const char* const path = std::getenv("THIMBLE_PLUGIN_PATH"))
    for (const std::string& folder : split(path, ':'))
      if (!folder.empty()) folders.push_back(std::filesystem::absolute(folder));
  return folders;
}

std::string data_folder_by_default() {
  const char* const folder = std::getenv("THIMBLE_DATA");
  return folder != nullptr && *folder != '\0' ? folder : "data";
}

/// THIMBLE_CACHE, or where the desktop's conventions put caches; empty when there is no home.
std::filesystem::path cache_folder() {
  const auto named = [](const char* variable) -> std::filesystem::path {
    const char* const folder = std::getenv(variable);
    return folder != nullptr ? folder : "";
  };
  if (auto own = named("THIMBLE_CACHE"); !own.empty()) return own;
  if (const auto all = named("XDG_CACHE_HOME"); !all.empty()) return all / "thimble";
  const auto home = named("HOME");
  return home.empty() ? home : home / ".cache" / "thimble";
}

/// Where the desktop's conventions put settings; empty when there is no home.
std::filesystem::path config_folder() {
  const char* const all = std::getenv("XDG_CONFIG_HOME");
  if (all != nullptr && *all != '\0') return std::filesystem::path{all} / "thimble";
  const char* const home = std::getenv("HOME");
  return home == nullptr ? "" : std::filesystem::path{home} / ".config" / "thimble";
}

int parse_and_call(int count, const char* const* arguments, const std::filesystem::path& prefix) {
  CommandLine line{data_folder_by_default()};
  if (const auto code = line.parse(count, arguments)) return *code;
  Context context;
  context.data_folder = line.data_folder();
  context.cache_folder = cache_folder();
  context.log = [](const std::string& words) {
    std::fprintf(stderr, "remark: %s\n", words.c_str());
  };
  PluginLoader loader{plugin_folders(prefix), context};
  return line.call(World{prefix, line.data_folder(), config_folder(), loader});
}

void stop_on_signal(int) {
  if (request_stop()) _exit(kInterrupted);
}

}  // namespace

int run_program(int count, const char* const* arguments, const std::filesystem::path& prefix) {
  const std::string_view command = count > 1 ? arguments[1] : "";
  try {
    const int code = parse_and_call(count, arguments, prefix);
    if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
    std::fprintf(stderr, "thimble: error: the output cannot be written\n");
    return kFailed;
  } catch (const Interrupted&) {
    std::fprintf(stderr, "thimble: interrupted%s\n",
                 command == "run"     ? "; the same command with --resume goes on"
                 : command == "train" ? "; the same command goes on"
                                      : "");
    return kInterrupted;
  } catch (const InputError& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return kInputWrong;
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return kFailed;
  } catch (const std::filesystem::filesystem_error& error) {
    std::fprintf(stderr, "%s: error: %s\n", error.path1().c_str(), error.code().message().c_str());
    return kInputWrong;
  } catch (...) {
    std::fprintf(stderr, "thimble: error: %s\n", what_was_thrown().c_str());
    return kFailed;
  }
}

void stop_on_signals() {
  std::signal(SIGINT, stop_on_signal);
  std::signal(SIGTERM, stop_on_signal);
  // Whoever starts it with nohup wants it to go on when the terminal closes.
  if (std::signal(SIGHUP, SIG_IGN) != SIG_IGN) std::signal(SIGHUP, stop_on_signal);
}

}  // namespace thimble::cli
