#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <thimble/core/context.hpp>
#include <thimble/core/export.hpp>
#include <thimble/core/kind.hpp>
#include <thimble/core/params.hpp>

namespace thimble {

/// What a plugin provides, as the kernel sees it. Made by Registrar::provides.
struct PluginType {
  Kind kind = Kind::proxy;
  std::string name;
  std::string version;
  std::string summary;
  /// Of its library's file; the loader sets it.
  std::uint64_t fingerprint = 0;
  /// Named sets of parameters, as YAML maps: {"narrow", "{channels: 3, cells: 1}"}.
  std::vector<std::pair<std::string, std::string>> profiles;
  /// The parameters, for documentation.
  Schema schema;
  /// Checks given parameters and returns all of them, defaults included.
  std::function<Value(const Value& given, const std::string& subject, Diagnostics&)> resolve;
  /// Makes the plugin from resolved parameters; the result is the kind's interface, owned.
  std::function<void*(const Value& resolved, const Context&)> make;
};

namespace detail {

template <class T>
concept HasInterface = requires {
  typename T::Interface;
}
&&std::is_convertible_v<T*, typename T::Interface*>;

template <class T>
concept HasParams = requires {
  typename T::Params;
}
&&Described<typename T::Params>&& std::is_default_constructible_v<typename T::Params>;

}  // namespace detail

/// What a plugin's entry point gets: it says there what it provides.
class THIMBLE_EXPORT Registrar {
 public:
  Registrar(std::string name, std::string version);

  /// `T` derives from its kind's interface, has a described struct T::Params, and is constructible
  /// from Params or from (Params, const Context&). A constructor throws Error when parameters do
  /// not fit together; their ranges are checked before.
  template <class T>
  Registrar& provides(std::string summary) {
    static_assert(detail::HasInterface<T>,
                  "a plugin class derives publicly from its kind's interface, such as "
                  "thimble::Proxy");
    static_assert(detail::HasParams<T>,
                  "a plugin class has a default-constructible struct Params with "
                  "template <class Describe> static void describe(Describe& param)");
    static_assert(!std::is_abstract_v<T>,
                  "a plugin class overrides every function that its interface requires");
    using Interface = typename T::Interface;
    using Params = typename T::Params;
    PluginType type;
    type.kind = Interface::kKind;  // not T's, which could name another than the pointer is
    type.summary = std::move(summary);
    Params defaults;
    type.schema = schema_of(defaults);
    type.resolve = [](const Value& given, const std::string& subject, Diagnostics& problems) {
      return write_params(read_params<Params>(given, subject, problems));
    };
    type.make = [](const Value& resolved, const Context& context) -> void* {
      Diagnostics problems;
      auto params = read_params<Params>(resolved, "plugin", problems);
      problems.throw_if_any();
      if constexpr (std::is_constructible_v<T, Params, const Context&>) {
        return static_cast<Interface*>(new T{std::move(params), context});
      } else {
        return static_cast<Interface*>(new T{std::move(params)});
      }
    };
    add(std::move(type));
    return *this;
  }

  /// A named set of the parameters just registered, for others to ask for by name.
  Registrar& profile(std::string name, std::string yaml_map);

  const std::vector<PluginType>& types() const noexcept { return types_; }

 private:
  void add(PluginType type);

  std::string name_;
  std::string version_;
  std::vector<PluginType> types_;
};

/// Raised whenever a class that crosses between kernel and plugins changes its layout or its
/// virtual functions, or a header that plugins include moves; docs/plugin-abi.md says what changed
/// with each number. libthimble's SOVERSION is the same: CMake reads it here.
inline constexpr std::uint32_t kAbiVersion = 8;

}  // namespace thimble

/// The toolchain a plugin was built with; it must be the kernel's, C++ objects cross the border.
#define THIMBLE_QUOTE(x) #x
#define THIMBLE_TEXT(x) THIMBLE_QUOTE(x)
#ifndef THIMBLE_TORCH
#define THIMBLE_TORCH "unknown"  // thimble_add_plugin() says which
#endif
#ifdef __SANITIZE_ADDRESS__
#define THIMBLE_ASAN 1
#else
#define THIMBLE_ASAN 0
#endif
#define THIMBLE_BUILD                                       \
  "gcc " THIMBLE_TEXT(__GNUC__) "; cxx11abi " THIMBLE_TEXT( \
      _GLIBCXX_USE_CXX11_ABI) "; asan " THIMBLE_TEXT(THIMBLE_ASAN) "; torch " THIMBLE_TORCH

/// All that is read from a plugin before anything of it is called. Append only.
extern "C" struct ThimblePluginInfo {
  std::uint32_t size;
  std::uint32_t abi;
  const char* build;
  const char* name;
  const char* version;
  void (*enlist)(thimble::Registrar&);
};

/// Opens the body of a plugin's entry point; `plugin` is the Registrar:
///
///     THIMBLE_PLUGIN("synflow", "1.0.0") {
///       plugin.provides<SynFlow>("weight times gradient on an all-ones input, summed");
///     }
#define THIMBLE_PLUGIN(NAME, VERSION)                                               \
  static void thimble_enlist(thimble::Registrar& plugin);                           \
  extern "C" THIMBLE_EXPORT const ThimblePluginInfo thimble_plugin_info;            \
  extern "C" const ThimblePluginInfo thimble_plugin_info{sizeof(ThimblePluginInfo), \
                                                         thimble::kAbiVersion,      \
                                                         THIMBLE_BUILD,             \
                                                         NAME,                      \
                                                         VERSION,                   \
                                                         &thimble_enlist};          \
  static void thimble_enlist(thimble::Registrar& plugin)
