#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <thimble/core/context.hpp>
#include <thimble/core/error.hpp>
#include <thimble/core/export.hpp>
#include <thimble/plugin/registrar.hpp>

namespace thimble {

/// A file that may be a plugin, and what came of loading it.
struct FoundPlugin {
  std::filesystem::path file;
  const PluginType* type = nullptr;  ///< nullptr when it could not be loaded
  Diagnostic problem;                ///< then this is why
};

/// Finds plugins by name and loads them: FOLDER/<kind>/NAME.so or FOLDER/NAME.so in any of its
/// folders. Nothing is loaded before somebody asks for it, so a broken plugin disturbs nobody
/// else. A loaded library stays for the life of the process. Not thread safe.
class THIMBLE_EXPORT PluginLoader {
 public:
  PluginLoader(std::vector<std::filesystem::path> folders, Context context);
  ~PluginLoader();
  PluginLoader(const PluginLoader&) = delete;
  PluginLoader& operator=(const PluginLoader&) = delete;

  /// The plugin of a kind with a name; on failure nullptr, and `problems` has why. `where` is the
  /// place at which the name was written.
  const PluginType* find(Kind kind, const std::string& name, const Location& where,
                         Diagnostics& problems);
  /// Every file that could be a plugin (of a kind), loaded, sorted by kind and name.
  std::vector<FoundPlugin> list(std::optional<Kind> kind);
  /// One library, by path. Throws InputError.
  const PluginType& load(const std::filesystem::path& file);

  /// Makes a plugin; what its constructor throws is reported at `where`, with the plugin's name.
  template <class Interface>
  std::unique_ptr<Interface> make(const PluginType& type, const Value& resolved,
                                  const Location& where) {
    return std::unique_ptr<Interface>{static_cast<Interface*>(make_untyped(type, resolved, where))};
  }
  /// Its parameters, checked and with defaults; what its description throws becomes a problem.
  static Value resolve(const PluginType& type, const Value& given, const Location& where,
                       Diagnostics& problems);

  const std::vector<std::filesystem::path>& folders() const noexcept { return folders_; }

 private:
  struct Library;
  std::vector<std::filesystem::path> files_of(Kind kind) const;
  void report_missing(Kind kind, const std::string& name, const Location& where,
                      Diagnostics& problems) const;
  void* make_untyped(const PluginType& type, const Value& resolved, const Location& where);

  std::vector<std::filesystem::path> folders_;
  Context context_;
  std::map<std::filesystem::path, std::unique_ptr<Library>> libraries_;
};

/// Of the file of libthimble that this process runs, read once. Thread safe.
THIMBLE_EXPORT std::uint64_t kernel_fingerprint();

}  // namespace thimble
