#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <thimble/core/params.hpp>
#include <thimble/core/yaml.hpp>

namespace thimble::params_test {
namespace {

enum class Colour { red, green };
const std::vector<std::pair<std::string, Colour>>& names_of(Colour) {
  static const std::vector<std::pair<std::string, Colour>> names{{"red", Colour::red},
                                                                 {"green", Colour::green}};
  return names;
}

struct Inner {
  int size = 3;
  std::optional<double> share;

  template <class Describe>
  static void describe(Describe& param) {
    param(&Inner::size, "size", "how large").range(1, 10);
    param(&Inner::share, "share", "which part").range(0, 1);
  }
};

struct Shared {
  int depth = 2;

  template <class Describe>
  static void describe(Describe& param) {
    param(&Shared::depth, "depth", "how deep").at_least(1);
  }
};

struct Everything {
  bool flag = true;
  int count = -4;
  std::int64_t wide = std::int64_t{1} << 40;
  double ratio = 0.1;
  std::string text = "some words";
  Colour colour = Colour::green;
  Inner inner;
  Value raw;
  std::vector<int> list{1, 2};
  std::vector<Colour> colours{Colour::red};
  std::vector<Inner> inners;
  std::optional<int> maybe;
  std::map<std::string, double> weights{{"a", 1.5}};
  Shared shared;

  template <class Describe>
  static void describe(Describe& param) {
    param(&Everything::flag, "flag", "a flag");
    param(&Everything::count, "count", "a count");
    param(&Everything::wide, "wide", "a wide count");
    param(&Everything::ratio, "ratio", "a ratio").range(0, 1);
    param(&Everything::text, "text", "a text");
    param(&Everything::colour, "colour", "a colour");
    param(&Everything::inner, "inner", "a struct");
    param(&Everything::raw, "raw", "as written");
    param(&Everything::list, "list", "numbers").range(0, 9);
    param(&Everything::colours, "colours", "some colours");
    param(&Everything::inners, "inners", "some structs");
    param(&Everything::maybe, "maybe", "a number or none");
    param(&Everything::weights, "weights", "numbers by name").at_least(0);
    param.include(&Everything::shared);
  }
};

struct Strict {
  std::string name;
  int size = 0;

  template <class Describe>
  static void describe(Describe& param) {
    param(&Strict::name, "name", "what it is called").required();
    param(&Strict::size, "size", "how large").required().range(1, 8);
  }
};

template <class T = Everything>
T read(const std::string& yaml) {
  Diagnostics problems;
  const T read = read_params<T>(parse_yaml(yaml, "x"), "thing 'it'", problems);
  problems.throw_if_any();
  return read;
}

template <class T = Everything>
std::vector<std::string> problems_of(const std::string& yaml) {
  std::vector<std::string> found;
  try {
    read<T>(yaml);
  } catch (const InputError& error) {
    for (const Diagnostic& problem : error.diagnostics())
      found.push_back(to_string(Diagnostic{problem.where, problem.message, {}}));
  }
  return found;
}

std::string note_of(const std::string& yaml) {
  try {
    read(yaml);
  } catch (const InputError& error) {
    return error.diagnostics()[0].note;
  }
  return "no problem";
}

using Problems = std::vector<std::string>;

TEST(Params, ReadsEveryType) {
  const Everything all = read(
      "flag: false\ncount: 2147483647\nwide: -9223372036854775808\nratio: 0.25\ntext: '7'\n"
      "colour: red\ninner: {size: 9, share: 0.5}\nraw: [any, {thing: 1}]\nlist: [0, 9]\n"
      "colours: [green, red]\ninners: [{size: 1}, {}]\nmaybe: 5\nweights: {b: 2, c: 0}\ndepth: "
      "8\n");
  EXPECT_FALSE(all.flag);
  EXPECT_EQ(all.count, 2147483647);
  EXPECT_EQ(all.wide, std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(all.ratio, 0.25);
  EXPECT_EQ(all.text, "7");
  EXPECT_EQ(all.colour, Colour::red);
  EXPECT_EQ(all.inner.size, 9);
  EXPECT_EQ(all.inner.share, 0.5);
  EXPECT_EQ(detail::one_line(all.raw), "[any, {thing: 1}]");
  EXPECT_EQ(all.list, (std::vector<int>{0, 9}));
  EXPECT_EQ(all.colours, (std::vector<Colour>{Colour::green, Colour::red}));
  ASSERT_EQ(all.inners.size(), 2U);
  EXPECT_EQ(all.inners[0].size, 1);
  EXPECT_EQ(all.inners[1].size, 3) << "its default";
  EXPECT_EQ(all.maybe, 5);
  EXPECT_EQ(all.weights.at("b"), 2);
  EXPECT_EQ(all.shared.depth, 8) << "included fields stand beside the others";
}

TEST(Params, KeepsDefaultsOfKeysLeftOut) {
  const Everything all = read("{}");
  EXPECT_TRUE(all.flag);
  EXPECT_EQ(all.count, -4);
  EXPECT_EQ(all.text, "some words");
  EXPECT_EQ(all.maybe, std::nullopt);
  EXPECT_EQ(all.list, (std::vector<int>{1, 2}));
}

TEST(Params, NamesWrongTypesWithTheirPlace) {
  EXPECT_EQ(problems_of("flag: yes"),
            Problems{"x:1:7: error: 'flag' must be true or false, found 'yes'"});
  EXPECT_EQ(problems_of("count: 1.5"),
            Problems{"x:1:8: error: 'count' must be an integer, found '1.5'"});
  EXPECT_EQ(problems_of("count: '3'"),
            Problems{"x:1:8: error: 'count' must be an integer, found the text '3'"});
  EXPECT_EQ(problems_of("ratio: [1]"),
            Problems{"x:1:8: error: 'ratio' must be a number, found a list"});
  EXPECT_EQ(problems_of("text: {a: 1}"),
            Problems{"x:1:7: error: 'text' must be text, found a map"});
  EXPECT_EQ(problems_of("inner: 3"), Problems{"x:1:8: error: 'inner' must be a map, found '3'"});
  EXPECT_EQ(problems_of("list: 3"),
            Problems{"x:1:7: error: 'list' must be a list of integer, found '3'"});
  EXPECT_EQ(problems_of("list: [1, two]"),
            Problems{"x:1:11: error: 'list' must be an integer, found 'two'"});
  EXPECT_EQ(problems_of("weights: {b: no}"),
            Problems{"x:1:14: error: 'b' must be a number, found 'no'"});
  EXPECT_EQ(problems_of("colour: gren"),
            Problems{"x:1:9: error: 'colour' cannot be 'gren'; did you mean 'green'?"});
  EXPECT_EQ(problems_of("colour: [red]"), Problems{"x:1:9: error: 'colour' cannot be a list"});
  EXPECT_EQ(problems_of("count:"), Problems{"x:1:1: error: 'count' has no value"});
}

TEST(Params, SaysWhatToWriteInstead) {
  EXPECT_EQ(note_of("flag: 'true'"), "leave out the quotes");
  EXPECT_EQ(note_of("flag: on"), "YAML's other spellings of true and false are not read");
  EXPECT_EQ(note_of("count: 010"),
            "write a decimal integer without leading zeros, point or exponent");
  EXPECT_EQ(note_of("wide: 9223372036854775808"), "it must fit into 64 bits");
  EXPECT_EQ(note_of("colour: blue"), "it is one of red, green");
  EXPECT_EQ(note_of("ratio:"), "write a value, or leave the key out");
}

TEST(Params, HoldsValuesToTheirRange) {
  EXPECT_EQ(problems_of("ratio: 1.01"),
            Problems{"x:1:8: error: 'ratio' is 1.01, must be in [0, 1]"});
  EXPECT_EQ(problems_of("ratio: 0"), Problems{});
  EXPECT_EQ(problems_of("ratio: 1"), Problems{});
  EXPECT_EQ(problems_of("depth: 0"), Problems{"x:1:8: error: 'depth' is 0, must be at least 1"});
  EXPECT_EQ(problems_of("list: [1, 10]"),
            Problems{"x:1:11: error: 'list' is 10, must be in [0, 9]"});
  EXPECT_EQ(problems_of("weights: {b: -1}"),
            Problems{"x:1:14: error: 'b' is -1, must be at least 0"});
  EXPECT_EQ(problems_of("inner: {share: 2}"),
            Problems{"x:1:16: error: 'share' is 2, must be in [0, 1]"});
  EXPECT_EQ(problems_of("count: 2147483648"),
            Problems{"x:1:8: error: 'count' is 2147483648, must be in [-2147483648, 2147483647]"});
}

TEST(Params, ReportsUnknownAndMissingKeysOnceEach) {
  EXPECT_EQ(problems_of("{cuont: 1, other: 2}"),
            (Problems{"x:1:2: error: unknown key 'cuont' for thing 'it'; did you mean 'count'?",
                      "x:1:12: error: unknown key 'other' for thing 'it'"}));
  EXPECT_EQ(problems_of<Strict>("{}"),
            (Problems{"x:1:1: error: missing key 'name' for thing 'it'",
                      "x:1:1: error: missing key 'size' for thing 'it'"}));
  EXPECT_EQ(problems_of<Strict>("{nmae: a, size: 3}"),
            Problems{"x:1:2: error: unknown key 'nmae' for thing 'it'; did you mean 'name'?"})
      << "a mistyped key is not missing on top of that";
  EXPECT_EQ(problems_of<Strict>("{name: , size: 0}"),
            (Problems{"x:1:2: error: 'name' has no value",
                      "x:1:16: error: 'size' is 0, must be in [1, 8]"}));
}

TEST(Params, WritesAFixedPoint) {
  for (const char* const yaml :
       {"{}", "{text: 'null', maybe: 3, ratio: 1e-9}", "{text: 'true'}", "{text: '0x1: #'}",
        "{inners: [{size: 2, share: 0.3}], weights: {}, list: [], colours: []}", "{text: ''}"}) {
    const Value first = write_params(read(yaml));
    const std::string text = to_yaml(first);
    EXPECT_EQ(to_yaml(write_params(read(text))), text);
  }
}

TEST(Params, WritesEveryValueInForce) {
  const Value all = write_params(Everything{});
  EXPECT_EQ(
      detail::one_line(all),
      "{flag: true, count: -4, wide: 1099511627776, ratio: 0.1, text: some words, colour: green, "
      "inner: {size: 3}, list: [1, 2], colours: [red], inners: [], weights: {a: 1.5}, depth: 2}");
}

TEST(Params, DescribesItselfForDocumentation) {
  Everything object;
  const Schema schema = schema_of(object);
  const auto field = [&](const std::string& name) {
    for (const Field& each : schema)
      if (each.name == name) return each;
    return Field{};
  };
  EXPECT_EQ(field("flag").type, "true or false");
  EXPECT_EQ(field("list").type, "list of integer");
  EXPECT_EQ(field("maybe").type, "integer");
  EXPECT_EQ(field("maybe").default_text, "");
  EXPECT_EQ(field("ratio").default_text, "0.1");
  EXPECT_EQ(field("ratio").range_text(), "[0, 1]");
  EXPECT_EQ(field("depth").range_text(), "at least 1");
  EXPECT_EQ(field("text").range_text(), "");
  EXPECT_EQ(field("colour").choices, (std::vector<std::string>{"red", "green"}));
  EXPECT_EQ(field("colours").choices, (std::vector<std::string>{"red", "green"}));
}

TEST(Params, WritesBoundsAsTheyHaveToBeTyped) {
  Field field;
  field.least = 1;
  field.most = 1e7;
  EXPECT_EQ(field.range_text(), "[1, 10000000]");
  field.most = 0.5;
  field.least = -std::numeric_limits<double>::infinity();
  EXPECT_EQ(field.range_text(), "at most 0.5");
}

}  // namespace
}  // namespace thimble::params_test
