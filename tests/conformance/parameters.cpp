// Laws of every plugin: its parameters.

#include <algorithm>
#include <cmath>
#include <set>

#include <thimble/core/text.hpp>
#include <thimble/core/yaml.hpp>

#include "subject.hpp"

namespace thimble::conformance {
namespace {

bool is_list(const Field& field) { return field.type.starts_with("list of "); }

/// Integers and numbers, and lists of them: the ones that ranges are for.
bool is_number(const Field& field) {
  return field.type.ends_with("integer") || field.type.ends_with("number");
}

/// The parameters of the command line, with one more.
Value given_with(const Field& field, Value value) {
  Value given = subject().given;
  if (is_list(field) && !value.is_map()) value = Value::sequence({std::move(value)});
  given.set(field.name, std::move(value));
  return given;
}

/// True when there is exactly one complaint, and it names the word.
testing::AssertionResult complains_once_of(const Value& given, const std::string& word) {
  const auto problems = problems_with(given);
  if (problems.size() != 1)
    return testing::AssertionFailure() << problems.size() << " problems, not one";
  if (problems[0].message.find("'" + word + "'") == std::string::npos)
    return testing::AssertionFailure() << "'" << word << "' is not named: " << problems[0].message;
  return testing::AssertionSuccess();
}

/// Skips when a parameter without a default was not given.
#define THIMBLE_NEEDS_PARAMETERS()                            \
  if (const auto problems = problems_with(subject().given);   \
      !problems.empty() && subject().given.entries().empty()) \
  GTEST_SKIP() << problems.front().message << "; give it as the second argument"

TEST(Parameters, PluginSaysWhatItDoes) {
  EXPECT_FALSE(subject().type.version.empty());
  EXPECT_FALSE(subject().type.summary.empty());
  EXPECT_EQ(subject().type.summary.find('\n'), std::string::npos);
}

TEST(Parameters, HaveDifferentNamesAndASentence) {
  std::set<std::string> names;
  for (const Field& field : subject().type.schema) {
    EXPECT_TRUE(is_identifier(field.name)) << field.name;
    EXPECT_TRUE(names.insert(field.name).second) << "two parameters are called " << field.name;
    EXPECT_NE(field.name, "use") << "this key of an experiment names the plugin";
    EXPECT_NE(field.name, "as") << "this key of an experiment names the metric";
    EXPECT_FALSE(trimmed(field.sentence).empty()) << field.name << " is not explained";
    EXPECT_EQ(field.sentence.find('\n'), std::string::npos) << field.name;
    EXPECT_FALSE(field.type.empty()) << field.name;
  }
}

TEST(Parameters, DefaultsLieWithinTheirRanges) {
  for (const Field& field : subject().type.schema) {
    EXPECT_LE(field.least, field.most) << field.name;
    const auto number = parse_number(field.default_text);
    if (!is_number(field) || is_list(field) || !number || field.is_required) continue;
    EXPECT_GE(*number, field.least) << field.name;
    EXPECT_LE(*number, field.most) << field.name;
  }
}

TEST(Parameters, OnlyRequiredOnesMustBeGiven) {
  std::size_t required = 0;
  for (const Field& field : subject().type.schema) {
    if (!field.is_required) continue;
    ++required;
    const auto problems = problems_with(Value::map());
    EXPECT_TRUE(std::ranges::any_of(problems, [&](const Diagnostic& problem) {
      return problem.message.find("'" + field.name + "'") != std::string::npos;
    })) << field.name;
  }
  const auto problems = problems_with(Value::map());
  EXPECT_EQ(problems.size(), required) << problems.front().message;
}

TEST(Parameters, ResolvingTwiceChangesNothing) {
  THIMBLE_NEEDS_PARAMETERS();
  const Value once = resolved();
  Diagnostics problems;
  const Value twice = PluginLoader::resolve(subject().type, once, {}, problems);
  EXPECT_NO_THROW(problems.throw_if_any());
  EXPECT_EQ(to_yaml(twice), to_yaml(once));
}

TEST(Parameters, ResolvedOnesSurviveWritingAndReading) {
  THIMBLE_NEEDS_PARAMETERS();
  const std::string text = to_yaml(resolved());
  if (resolved().entries().empty()) GTEST_SKIP() << "it has no parameters";
  Diagnostics problems;
  const Value again =
      PluginLoader::resolve(subject().type, parse_yaml(text, "resolved.yaml"), {}, problems);
  EXPECT_NO_THROW(problems.throw_if_any());
  EXPECT_EQ(to_yaml(again), text);
}

TEST(Parameters, AnUnknownKeyIsRefused) {
  THIMBLE_NEEDS_PARAMETERS();
  Value given = subject().given;
  given.set("no_such_parameter", Value::scalar("1"));
  EXPECT_TRUE(complains_once_of(given, "no_such_parameter"));
}

TEST(Parameters, ValuesOutsideTheirRangeAreRefused) {
  THIMBLE_NEEDS_PARAMETERS();
  for (const Field& field : subject().type.schema) {
    if (!is_number(field)) continue;
    for (const double beyond : {field.least - 1, field.most + 1}) {
      if (!std::isfinite(beyond)) continue;
      const Value given = given_with(field, Value::scalar(number_text(beyond)));
      EXPECT_TRUE(complains_once_of(given, field.name));
    }
  }
}

TEST(Parameters, ValuesOfAnotherTypeAreRefused) {
  THIMBLE_NEEDS_PARAMETERS();
  for (const Field& field : subject().type.schema) {
    if (field.type.ends_with("anything") || field.type.starts_with("map")) continue;
    EXPECT_TRUE(complains_once_of(given_with(field, Value::map()), field.name));
    if (field.choices.empty()) continue;
    EXPECT_TRUE(complains_once_of(given_with(field, Value::scalar("no such choice")), field.name));
  }
}

}  // namespace
}  // namespace thimble::conformance
