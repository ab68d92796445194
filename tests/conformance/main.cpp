// thimble-conformance PLUGIN.so [PARAMETERS]: the laws that a plugin of its kind keeps, as tests.
// PARAMETERS is a YAML map, for plugins that have no defaults for some of theirs. Data sets are
// looked for in THIMBLE_TEST_DATA, or in data/.

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <thread>

#include <gtest/gtest.h>

#include <thimble/core/yaml.hpp>
#include <thimble/nn/threads.hpp>

#include "subject.hpp"

namespace thimble::conformance {
namespace {

std::optional<Subject> the_subject;

/// Test suites are named after the kind whose laws they hold.
std::string suites_of(Kind kind) {
  switch (kind) {
    case Kind::proxy: return "Parameters.*:ProxyLaws.*";
    case Kind::searchspace: return "Parameters.*:SearchSpaceLaws.*";
    case Kind::searcher: return "Parameters.*:SearcherLaws.*";
    case Kind::hardware: return "Parameters.*:HardwareLaws.*";
    case Kind::dataset: return "Parameters.*:DatasetLaws.*";
  }
  return "*";
}

int run(int count, char** arguments) {
  // GoogleTest's own options may narrow the filter, which therefore is set before it reads them.
  std::optional<PluginLoader> loader;
  Context context;
  const char* const data = std::getenv("THIMBLE_TEST_DATA");
  if (data != nullptr && *data != '\0') context.data_folder = data;
  loader.emplace(std::vector<std::filesystem::path>{}, context);

  std::string file;
  for (int i = 1; i < count && file.empty(); ++i)
    if (arguments[i][0] != '-') file = arguments[i];
  if (file.empty()) throw InputError{"no plugin is named", "thimble-conformance PLUGIN.so"};
  const PluginType& type = loader->load(file);
  GTEST_FLAG_SET(filter, suites_of(type.kind));
  testing::InitGoogleTest(&count, arguments);  // takes its own options out
  Value given = Value::map();
  if (count > 2) given = parse_yaml(arguments[2], "parameters");
  the_subject.emplace(Subject{*loader, type, std::move(given)});
  use_single_threaded_math();
  std::printf("%s '%s' %s, %s\n", name_of(type.kind), type.name.c_str(), type.version.c_str(),
              file.c_str());
  return RUN_ALL_TESTS();
}

}  // namespace

const Subject& subject() { return *the_subject; }

std::vector<Diagnostic> problems_with(const Value& given) {
  Diagnostics problems;
  PluginLoader::resolve(subject().type, given, {}, problems);
  try {
    problems.throw_if_any();
  } catch (const InputError& error) {
    return error.diagnostics();
  }
  return {};
}

Value resolved() {
  Diagnostics problems;
  Value all = PluginLoader::resolve(subject().type, subject().given, {}, problems);
  problems.throw_if_any();
  return all;
}

void on_two_threads(const std::function<void()>& work) {
  std::thread other{work};
  work();
  other.join();
}

}  // namespace thimble::conformance

int main(int count, char** arguments) {
  try {
    return thimble::conformance::run(count, arguments);
  } catch (const thimble::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
