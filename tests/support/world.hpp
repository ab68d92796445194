#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thimble/core/files.hpp>
#include <thimble/core/yaml.hpp>
#include <thimble/plugin/loader.hpp>

namespace thimble::testing {

/// A loader of the plugins that were just built.
inline PluginLoader plugins(const std::filesystem::path& data_folder = "data") {
  Context context;
  context.data_folder = data_folder;
  return PluginLoader{{THIMBLE_TEST_PLUGINS}, context};
}

/// A plugin by kind, name and YAML parameters: make<Proxy>(loader, "ntk", "{batch: 8}").
template <class Interface>
std::unique_ptr<Interface> make(PluginLoader& loader, const std::string& name,
                                const std::string& yaml = "{}") {
  Diagnostics problems;
  const PluginType* const type = loader.find(Interface::kKind, name, {}, problems);
  problems.throw_if_any();
  const Value resolved = PluginLoader::resolve(*type, parse_yaml(yaml, "test"), {}, problems);
  problems.throw_if_any();
  return loader.make<Interface>(*type, resolved, {});
}

/// Real data, where the machine has it.
inline std::filesystem::path test_data() {
  const char* const folder = std::getenv("THIMBLE_TEST_DATA");
  return folder != nullptr ? folder : "";
}

using thimble::TemporaryFolder;

}  // namespace thimble::testing

/// Skips a test that needs real data.
#define THIMBLE_NEEDS_DATA(file)                                        \
  if (!std::filesystem::exists(thimble::testing::test_data() / (file))) \
  GTEST_SKIP() << "needs " << (file) << " in the folder that THIMBLE_TEST_DATA names"
