// thimble-conformance PLUGIN.so [PARAMETERS]: the laws that a plugin of its kind keeps, as tests.
// PARAMETERS is a YAML map, for plugins that have no defaults for some of theirs. Data sets are
// looked for in THIMBLE_TEST_DATA, or in data/.

#include <cstdio>
#include <cstdlib>
#include <future>
#include <map>
#include <optional>

#include <gtest/gtest.h>

#include <thimble/core/yaml.hpp>
#include <thimble/nn/threads.hpp>

#include "subject.hpp"

namespace thimble::conformance {
namespace {

std::optional<Subject> the_subject;

const std::map<Kind, std::string>& suites() {
  static const std::map<Kind, std::string> names{
      {Kind::proxy, "ProxyLaws"},       {Kind::searchspace, "SearchSpaceLaws"},
      {Kind::searcher, "SearcherLaws"}, {Kind::hardware, "HardwareLaws"},
      {Kind::dataset, "DatasetLaws"},   {Kind::task, "TaskLaws"}};
  return names;
}

/// Takes the laws of other kinds out of what GoogleTest will run.
void keep_laws_of(Kind kind) {
  std::string filter = GTEST_FLAG_GET(filter);
  char separator = filter.find('-') == std::string::npos ? '-' : ':';
  for (const auto& [other, suite] : suites()) {
    if (other == kind) continue;
    filter += separator + suite + ".*";
    separator = ':';
  }
  GTEST_FLAG_SET(filter, filter);
}

int run(int count, char** arguments) {
  testing::InitGoogleTest(&count, arguments);  // takes its own options out
  if (count < 2 || count > 3)
    throw InputError{"not one plugin is named", "thimble-conformance PLUGIN.so [PARAMETERS]"};
  Context context;
  const char* const data = std::getenv("THIMBLE_TEST_DATA");
  if (data != nullptr && *data != '\0') context.data_folder = data;
  PluginLoader loader{{}, context};
  const std::string file = arguments[1];
  const PluginType& type = loader.load(file);
  Value given = count > 2 ? parse_yaml(arguments[2], "parameters") : Value::map();
  the_subject.emplace(Subject{loader, type, std::move(given)});
  keep_laws_of(type.kind);
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

void on_two_threads(const std::function<void(std::size_t)>& work) {
  auto other = std::async(std::launch::async, work, std::size_t{1});
  work(0);  // throws before the other is looked at, which is waited for all the same
  other.get();
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
