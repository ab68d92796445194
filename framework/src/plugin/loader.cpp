#include <thimble/plugin/loader.hpp>

#include <algorithm>
#include <set>
#include <tuple>

#include <dlfcn.h>
#include <fmt/format.h>
#include <boost/dll/shared_library.hpp>

#include <thimble/core/files.hpp>
#include <thimble/core/text.hpp>

namespace thimble {
namespace {

namespace fs = std::filesystem;

InputError broken(const fs::path& file, std::string message, std::string note = {}) {
  return InputError{Diagnostic{{file.string()}, std::move(message), std::move(note)}};
}

/// Everything called x.so, whatever it is: a folder or a link to nothing is a mistake to be told.
std::vector<fs::path> libraries_in(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code trouble;
  for (fs::directory_iterator it{folder, trouble}, end; !trouble && it != end;
       it.increment(trouble))
    if (it->path().extension() == ".so") files.push_back(it->path());
  std::ranges::sort(files);
  return files;
}

/// Each folder once, however often and by whatever path it was named.
std::vector<fs::path> without_repeats(std::vector<fs::path> folders) {
  std::set<fs::path> seen;
  std::erase_if(folders, [&](const fs::path& folder) {
    std::error_code ignored;
    return !seen.insert(fs::weakly_canonical(folder, ignored)).second;
  });
  return folders;
}

void require_file(const fs::path& file) {
  std::error_code ignored;
  if (!fs::exists(file, ignored))
    throw broken(file, fs::is_symlink(file, ignored) ? "is a link to nothing" : "does not exist");
  if (!fs::is_regular_file(file, ignored))  // the loader would wait for ever on a pipe
    throw broken(file, "is no file, so no plugin",
                 "folders are searched for FOLDER/<kind>/NAME.so");
}

void refuse_other_build(const std::string& build, const fs::path& file) {
  if (build == THIMBLE_BUILD) return;
  throw broken(
      file,
      fmt::format("built for another thimble, with {}, not {}; rebuild it",
                  parts_only_in(build, THIMBLE_BUILD), parts_only_in(THIMBLE_BUILD, build)),
      fmt::format("plugin {}; host {}", build, THIMBLE_BUILD));
}

/// THIMBLE_BUILD as it stands in the bytes of a plugin's file. To load a plugin of another LibTorch
/// brings that into the process or, where it is not installed, fails at a symbol that says nothing.
std::optional<std::string> build_in(const std::string& bytes) {
  const auto torch = bytes.find("; torch ");
  const auto begin = torch == std::string::npos ? torch : bytes.rfind("gcc ", torch);
  if (begin == std::string::npos) return std::nullopt;
  return bytes.substr(begin, bytes.find('\0', begin) - begin);
}

boost::dll::shared_library open(const fs::path& file) {
  // Everything is resolved now: a missing symbol must not surface hours into a run. Local: two
  // plugins may use the same names. Never unloaded: objects, deleters and exceptions of a plugin
  // would outlive its code.
  const auto mode = boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local |
                    static_cast<boost::dll::load_mode::type>(RTLD_NODELETE);
  try {
    return boost::dll::shared_library{boost::filesystem::path{file.string()}, mode};
  } catch (const std::exception& error) {
    // "... failed (dlerror system message: FILE: undefined symbol: f): Bad file descriptor ...":
    // the words around it are Boost's and errno's, and mislead.
    std::string why = error.what();
    constexpr std::string_view kBefore = "message: ";
    if (const auto begin = why.find(kBefore); begin != std::string::npos)
      why = why.substr(begin + kBefore.size(), why.rfind("):") - begin - kBefore.size());
    if (const std::string prefix = file.string() + ": "; why.starts_with(prefix))
      why.erase(0, prefix.size());
    throw broken(file, "cannot be loaded: " + why,
                 "is it a shared library, built against this thimble?");
  }
}

void check(const ThimblePluginInfo& info, const fs::path& file) {
  const bool has_size = info.size == sizeof(ThimblePluginInfo);
  const std::string build = has_size && info.build != nullptr ? info.build : "unknown";
  if (!has_size || info.abi != kAbiVersion) {
    throw broken(file, "built for another thimble; rebuild it",
                 fmt::format("plugin abi {}, {}; host abi {}, {}{}", info.abi, build, kAbiVersion,
                             THIMBLE_BUILD,
                             info.abi < kAbiVersion
                                 ? "; docs/plugin-abi.md says what changed in between for sources"
                                 : ""));
  }
  refuse_other_build(build, file);
  if (info.name == nullptr || info.version == nullptr || info.enlist == nullptr)
    throw broken(file, "its plugin info is incomplete", "use THIMBLE_PLUGIN(name, version)");
  if (!is_identifier(info.name))
    throw broken(file, fmt::format("{} is no name for a plugin", in_quotes(info.name)),
                 "names are lower case letters, digits and _, and begin with a letter");
}

}  // namespace

struct PluginLoader::Library {
  boost::dll::shared_library handle;
  std::vector<PluginType> types;
};

PluginLoader::PluginLoader(std::vector<fs::path> folders, Context context)
    : folders_{without_repeats(std::move(folders))}, context_{std::move(context)} {}

PluginLoader::~PluginLoader() = default;

const PluginType& PluginLoader::load(const fs::path& file) {
  const fs::path absolute = fs::absolute(file).lexically_normal();
  if (const auto known = libraries_.find(absolute); known != libraries_.end())
    return known->second->types.front();
  require_file(absolute);
  const std::string bytes = read_file(absolute);
  if (const auto build = build_in(bytes)) refuse_other_build(*build, file);
  auto library = std::make_unique<Library>();
  library->handle = open(absolute);
  if (!library->handle.has("thimble_plugin_info"))
    throw broken(file, "is a shared library, but no thimble plugin",
                 "a plugin has the symbol thimble_plugin_info; use THIMBLE_PLUGIN(name, version)");
  const auto& info = library->handle.get<const ThimblePluginInfo>("thimble_plugin_info");
  check(info, file);
  Registrar registrar{info.name, info.version};
  try {
    info.enlist(registrar);
  } catch (...) {
    throw broken(file, fmt::format("plugin '{}' {} failed while it was registered: {}", info.name,
                                   info.version, what_was_thrown()));
  }
  if (registrar.types().size() != 1)
    throw broken(
        file,
        fmt::format("plugin '{}' provides {} things, not one", info.name, registrar.types().size()),
        "say plugin.provides<T>(\"what it does\") once");
  if (file.stem() != info.name)
    throw broken(file,
                 fmt::format("the file of plugin '{}' must be called {}.so", info.name, info.name));
  library->types = registrar.types();
  library->types.front().fingerprint = fingerprint(bytes);
  return libraries_.emplace(absolute, std::move(library)).first->second->types.front();
}

std::vector<fs::path> PluginLoader::files_of(Kind kind) const {
  std::vector<fs::path> files;
  for (const fs::path& folder : folders_) {
    std::ranges::copy(libraries_in(folder / name_of(kind)), std::back_inserter(files));
    std::ranges::copy(libraries_in(folder), std::back_inserter(files));
  }
  return files;
}

void PluginLoader::report_missing(Kind kind, const std::string& name, const Location& where,
                                  Diagnostics& problems) const {
  std::vector<std::string> known;
  for (const fs::path& file : files_of(kind)) known.push_back(file.stem().string());
  std::vector<std::string> searched;
  for (const fs::path& folder : folders_) searched.push_back(folder.string());
  problems.error(
      where,
      fmt::format("no {} plugin {}{}", name_of(kind), in_quotes(name), did_you_mean(name, known)),
      fmt::format("searched {} ({} of that kind; list them with: thimble plugins {}); "
                  "THIMBLE_PLUGIN_PATH names more folders",
                  join(searched), known.size(), name_of(kind)));
}

const PluginType* PluginLoader::find(Kind kind, const std::string& name, const Location& where,
                                     Diagnostics& problems) {
  std::vector<fs::path> files = files_of(kind);
  std::erase_if(files, [&](const fs::path& file) { return file.stem() != name; });
  if (files.size() > 1) {
    problems.error(
        where, fmt::format("two plugins are called '{}'", name),
        fmt::format("{} and {}; remove or rename one", files[0].string(), files[1].string()));
    return nullptr;
  }
  if (files.empty()) {
    report_missing(kind, name, where, problems);
    return nullptr;
  }
  try {
    const PluginType& type = load(files[0]);
    if (type.kind == kind) return &type;
    problems.error(
        where,
        fmt::format("plugin '{}' is a {}, not a {}", name, name_of(type.kind), name_of(kind)),
        files[0].string());
  } catch (const InputError& error) {
    const Diagnostic& problem = error.diagnostics().front();
    problems.error(where, fmt::format("plugin '{}' cannot be used: {}", name, problem.message),
                   problem.where.file + (problem.note.empty() ? "" : ": " + problem.note));
  }
  return nullptr;
}

std::vector<FoundPlugin> PluginLoader::list(std::optional<Kind> kind) {
  std::vector<FoundPlugin> found;
  for (const Kind each : all_kinds()) {
    for (const fs::path& file : files_of(each)) {
      const bool is_known = std::ranges::any_of(
          found, [&](const FoundPlugin& plugin) { return plugin.file == file; });
      if (is_known) continue;
      FoundPlugin plugin;
      plugin.file = file;
      try {
        plugin.type = &load(file);
      } catch (const InputError& error) {
        plugin.problem = error.diagnostics().front();
      }
      const Kind actual = plugin.type != nullptr ? plugin.type->kind : each;
      if (!kind || actual == *kind) found.push_back(std::move(plugin));
    }
  }
  std::ranges::stable_sort(found, {}, [](const FoundPlugin& plugin) {
    const Kind its_kind = plugin.type != nullptr ? plugin.type->kind : Kind{};
    return std::tuple{plugin.type == nullptr, its_kind, plugin.file.stem().string()};
  });
  return found;
}

Value PluginLoader::resolve(const PluginType& type, const Value& given, const Location& where,
                            Diagnostics& problems) {
  try {
    return type.resolve(given, fmt::format("{} '{}'", name_of(type.kind), type.name), problems);
  } catch (...) {
    problems.error(where, fmt::format("plugin '{}' {} failed while its parameters were read: {}",
                                      type.name, type.version, what_was_thrown()));
    return Value::map();
  }
}

void* PluginLoader::make_untyped(const PluginType& type, const Value& resolved,
                                 const Location& where) {
  Context context = context_;
  for (const auto& [file, library] : libraries_)
    if (&library->types.front() == &type) context.plugin_folder = file.parent_path() / type.name;
  try {
    return type.make(resolved, context);
  } catch (const Error& error) {
    const Diagnostic& problem = error.diagnostics().front();
    // A file that it names itself is the better place.
    if (!problem.where.file.empty()) throw InputError{error.diagnostics()};
    throw InputError{Diagnostic{
        where, fmt::format("{} '{}': {}", name_of(type.kind), type.name, problem.message),
        problem.note}};
  } catch (...) {
    throw InputError{Diagnostic{where,
                                fmt::format("plugin '{}' {} failed while it was made: {}",
                                            type.name, type.version, what_was_thrown()),
                                "this is a fault of the plugin, not of the experiment"}};
  }
}

std::uint64_t kernel_fingerprint() {
  static const std::uint64_t kKnown = [] {
    Dl_info library{};
    if (dladdr(reinterpret_cast<const void*>(&kernel_fingerprint), &library) == 0)
      throw Error{"the file of libthimble is not known to the system"};
    return fingerprint(read_file(library.dli_fname));
  }();
  return kKnown;
}

}  // namespace thimble
