#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include <unistd.h>

#include <thimble/core/error.hpp>
#include <thimble/core/installation.hpp>
#include <thimble/core/yaml.hpp>
#include <thimble/plugin/loader.hpp>

/// What fuzz targets share. Whatever a file holds, its reader ends, in reasonable time and memory,
/// with what it read or with an error of ours; anything else ends the process, which libFuzzer
/// sees.
namespace thimble::fuzz {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// For laws beyond that.
inline void require(bool holds) {
  if (!holds) std::abort();
}

/// Whether it went without an error.
template <class Read>
bool succeeds(const Read& read) {
  try {
    read();
    return true;
  } catch (const Error& error) {
    require(!error.diagnostics().empty());
    for (const Diagnostic& problem : error.diagnostics()) require(!problem.message.empty());
    return false;
  }
}

/// A folder in memory for files that are read by path. It goes with the process; of one that
/// crashes it stays.
inline const std::filesystem::path& folder() {
  static const struct Folder {
    Folder() { std::filesystem::create_directories(path); }
    ~Folder() { std::filesystem::remove_all(path); }
    std::filesystem::path path = "/dev/shm/thimble-fuzz-" + std::to_string(::getpid());
  } kFolder;
  return kFolder.path;
}

/// A file of that folder with these bytes. Not by write_file(), whose fsync() takes its time.
inline std::filesystem::path file_of(const std::string& name, std::string_view bytes) {
  const std::filesystem::path file = folder() / name;
  std::FILE* const stream = std::fopen(file.c_str(), "wb");
  require(stream != nullptr);
  require(std::fwrite(bytes.data(), 1, bytes.size(), stream) == bytes.size());
  require(std::fclose(stream) == 0);
  return file;
}

/// Of the plugins that were built with the target, each loaded once. Data lie in that folder.
inline PluginLoader& plugins() {
  static PluginLoader loader{{installed_prefix() / "lib" / "thimble" / "plugins"}, [] {
                               Context context;
                               context.data_folder = folder();
                               return context;
                             }()};
  return loader;
}

/// A plugin by name and YAML parameters.
template <class Interface>
std::unique_ptr<Interface> make(const std::string& name, const std::string& yaml) {
  Diagnostics problems;
  const PluginType* const type = plugins().find(Interface::kKind, name, {}, problems);
  problems.throw_if_any();
  const Value resolved = PluginLoader::resolve(*type, parse_yaml(yaml, "fuzz"), {}, problems);
  problems.throw_if_any();
  return plugins().make<Interface>(*type, resolved, {});
}

}  // namespace thimble::fuzz
