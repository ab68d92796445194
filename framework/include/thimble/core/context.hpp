#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include <thimble/core/installation.hpp>

namespace thimble {

/// What a plugin is told about the world when it is made. Plugins read no environment, print
/// nothing and seed nothing themselves.
struct Context {
  /// Where data sets lie (--data, or THIMBLE_DATA).
  std::filesystem::path data_folder = "data";
  /// The plugin's own data files, beside its library.
  std::filesystem::path plugin_folder;
  /// What is installed with thimble and several plugins read: boards/, tables/.
  std::filesystem::path share_folder = installed_prefix() / "share" / "thimble";
  /// Where what took long may be kept between runs; empty: nowhere.
  std::filesystem::path cache_folder;
  /// Remarks for who started it. Thread safe.
  std::function<void(const std::string&)> log = [](const std::string&) {};
};

}  // namespace thimble
