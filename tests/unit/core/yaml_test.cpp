#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include <thimble/core/params.hpp>
#include <thimble/core/random.hpp>
#include <thimble/core/yaml.hpp>

#include "support/world.hpp"

namespace thimble::yaml_test {
namespace {

/// What parse_yaml finds wrong, as the user reads it, without notes.
std::vector<std::string> problems_of(std::string_view text) {
  std::vector<std::string> found;
  try {
    parse_yaml(text, "x");
  } catch (const InputError& error) {
    for (const Diagnostic& problem : error.diagnostics())
      found.push_back(to_string(Diagnostic{problem.where, problem.message, {}}));
  }
  return found;
}

using Problems = std::vector<std::string>;

TEST(ParseYaml, KeepsScalarsAsText) {
  const Value value =
      parse_yaml("{a: no, b: 010, c: 1.50, d: '3', e: \"null\", f: plain text}", "x");
  EXPECT_EQ(value.find("a")->text(), "no");
  EXPECT_EQ(value.find("b")->text(), "010");
  EXPECT_EQ(value.find("c")->text(), "1.50");
  EXPECT_FALSE(value.find("c")->is_quoted());
  EXPECT_TRUE(value.find("d")->is_quoted());
  EXPECT_TRUE(value.find("e")->is_scalar()) << "quoted, it is text";
  EXPECT_EQ(value.find("f")->text(), "plain text");
}

TEST(ParseYaml, KnowsNullsBySpelling) {
  for (const char* const text : {"a:", "a: ~", "a: null", "a: Null", "a: NULL"})
    EXPECT_TRUE(parse_yaml(text, "x").find("a")->is_null()) << text;
  EXPECT_TRUE(parse_yaml("", "x").is_null());
  EXPECT_TRUE(parse_yaml("# nothing\n", "x").is_null());
}

TEST(ParseYaml, SaysWhereEverythingStands) {
  const Value value = parse_yaml("first: 1\nlist:\n  - a\n  - {b: c}\n", "x");
  EXPECT_EQ(value.where().line, 1);
  EXPECT_EQ(value.find("first")->where().column, 8);
  const Value& list = *value.find("list");
  EXPECT_EQ(list.items()[0].where().line, 3);
  EXPECT_EQ(list.items()[0].where().column, 5);
  const auto& entry = list.items()[1].entries()[0];
  EXPECT_EQ(entry.key_where.line, 4);
  EXPECT_EQ(entry.key_where.column, 6);
  EXPECT_EQ(entry.value.where().column, 9);
  EXPECT_EQ(value.where().file, "x");
}

TEST(ParseYaml, PlacesEmptyValuesAtTheirKeyOrDash) {
  const Value value = parse_yaml("a:\nb:\n  -\n  - 1\n  -\n\nc: 1\n", "x");
  EXPECT_EQ(value.find("a")->where().line, 1);
  const auto& items = value.find("b")->items();
  ASSERT_EQ(items.size(), 3U);
  EXPECT_EQ(items[0].where().line, 3);
  EXPECT_EQ(items[0].where().column, 3);
  EXPECT_EQ(items[2].where().line, 5);
}

TEST(ParseYaml, TakesAByteOrderMark) {
  const Value value = parse_yaml(
      "\xef\xbb\xbf"
      "a: 1\n",
      "x");
  ASSERT_NE(value.find("a"), nullptr);
  EXPECT_EQ(value.find("a")->where().column, 4);
}

TEST(ParseYaml, RefusesDuplicateKeysWhereTheyStand) {
  EXPECT_EQ(problems_of("a: 1\nb: {c: 1, c: 2}\na: 3\n"),
            (Problems{"x:2:11: error: duplicate key 'c'", "x:3:1: error: duplicate key 'a'"}));
  EXPECT_EQ(problems_of("a: {b: 1}\nc: {b: 1}\n"), Problems{}) << "in different maps";
}

TEST(ParseYaml, RefusesWhatIsNotPlain) {
  EXPECT_EQ(problems_of("a: &b 1\n"), Problems{"x:1:4: error: anchors are not supported"});
  EXPECT_EQ(problems_of("a: &b 1\nc: *b\n"), (Problems{"x:1:4: error: anchors are not supported",
                                                       "x:2:4: error: aliases are not supported"}));
  EXPECT_EQ(problems_of("c: *b\n"), Problems{"x:1:4: error: aliases are not supported"});
  EXPECT_EQ(problems_of("a: !!int 1\n"),
            Problems{"x:1:4: error: tag 'tag:yaml.org,2002:int' is not supported"});
  EXPECT_EQ(problems_of("a: !mine {b: 1}\n"),
            Problems{"x:1:4: error: tag '!mine' is not supported"});
  EXPECT_EQ(problems_of("<<: {a: 1}\n"),
            Problems{"x:1:1: error: merging with '<<' is not supported"});
  EXPECT_EQ(problems_of("[a]: 1\n"), Problems{"x:1:1: error: a key must be plain text"});
  EXPECT_EQ(problems_of("? {a: b}\n: 1\n"), Problems{"x:1:3: error: a key must be plain text"});
  EXPECT_EQ(problems_of("~: 1\n").size(), 0U + 1);
}

TEST(ParseYaml, RefusesASecondDocumentWhereItBegins) {
  EXPECT_EQ(problems_of("a: 1\n---\nb: 2\n"), Problems{"x:2:1: error: a second document begins"});
  EXPECT_EQ(problems_of("---\na: 1\n...\n"), Problems{});
}

TEST(ParseYaml, ReportsBrokenSyntaxOnce) {
  for (const char* const text : {"a: [1", "a: {b: 1", "a: \"b", "a: {b: \"c }\n", "a:\n\t- b\n",
                                 "a: 1\n b: 2\n", "- a\nb: 1\n"}) {
    const auto problems = problems_of(text);
    ASSERT_EQ(problems.size(), 1U) << text;
    EXPECT_NE(problems[0].find("not valid YAML: "), std::string::npos) << problems[0];
  }
}

TEST(ParseYaml, RefusesBytesThatAreNoUtf8) {
  EXPECT_EQ(problems_of("a: 1\nb: caf\xe9\n"), Problems{"x:2:7: error: not UTF-8 text"});
  for (const char* const text :
       {"\x80", "\xc3", "\xc0\xaf", "\xe2\x82", "\xf5\x80\x80\x80", "\xff"})
    EXPECT_EQ(problems_of(text), Problems{"x:1:1: error: not UTF-8 text"});
  EXPECT_EQ(problems_of(std::string_view{"a: \0", 4}),
            Problems{"x:1:4: error: a NUL byte, not UTF-8 text"});
  EXPECT_EQ(problems_of("a: \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\n"), Problems{});
}

TEST(ParseYaml, RefusesDeepNesting) {
  const auto nested = [](int depth) {
    return std::string(static_cast<std::size_t>(depth), '[') +
           std::string(static_cast<std::size_t>(depth), ']');
  };
  EXPECT_EQ(problems_of(nested(64)), Problems{});
  EXPECT_EQ(problems_of(nested(65)), Problems{"x:1:65: error: nested deeper than 64 levels"});
  EXPECT_EQ(problems_of(nested(100000)).size(), 1U) << "and does not run out of stack";
}

TEST(ReadYaml, RefusesFilesThatAreMissingFoldersOrTooLarge) {
  const testing::TemporaryFolder folder;
  EXPECT_THROW(read_yaml(folder.path() / "missing.yaml"), InputError);
  EXPECT_THROW(read_yaml(folder.path()), InputError);
  const auto file = folder.path() / "large.yaml";
  std::ofstream{file} << "a: " << std::string((std::size_t{4} << 20) + 1, 'x');
  EXPECT_THROW(read_yaml(file), InputError);
  std::ofstream{file} << "a: 1\n";
  EXPECT_EQ(read_yaml(file).find("a")->where().file, file.string());
}

/// Equal in all that a reader can tell: kinds, texts, order of keys.
void expect_equal(const Value& a, const Value& b) {
  ASSERT_EQ(static_cast<int>(a.kind()), static_cast<int>(b.kind()));
  EXPECT_EQ(a.text(), b.text());
  EXPECT_EQ(a.is_quoted(), b.is_quoted());
  ASSERT_EQ(a.items().size(), b.items().size());
  for (std::size_t i = 0; i < a.items().size(); ++i) expect_equal(a.items()[i], b.items()[i]);
  ASSERT_EQ(a.entries().size(), b.entries().size());
  for (std::size_t i = 0; i < a.entries().size(); ++i) {
    EXPECT_EQ(a.entries()[i].key, b.entries()[i].key);
    expect_equal(a.entries()[i].value, b.entries()[i].value);
  }
}

class AnyValue {
 public:
  explicit AnyValue(std::uint64_t key) : random_{key} {}

  Value draw(int depth) {
    switch (random_.below(depth > 0 ? 5 : 3)) {
      case 0: return {};
      case 1: return Value::scalar(plain());
      case 2: return Value::scalar(any_text(), true);
      case 3: {
        Value list = Value::sequence();
        for (auto left = random_.below(4); left > 0; --left)
          list.items().push_back(draw(depth - 1));
        return list;
      }
      default: break;
    }
    Value map = Value::map();
    for (auto left = random_.below(4); left > 0; --left) map.set(key(), draw(depth - 1));
    return map;
  }

 private:
  /// What the writers of parameters leave unquoted.
  std::string plain() {
    switch (random_.below(3)) {
      case 0: return "word_" + std::to_string(random_.below(100));
      case 1: return detail::write_scalar(random_.normal()).text();
      default: return random_.below(2) == 0 ? "true" : "false";
    }
  }
  std::string key() {
    return random_.below(4) == 0 ? "key " + any_text() : "key" + std::to_string(random_.below(50));
  }
  std::string any_text() {
    static const std::vector<std::string> pieces{
        "a",    "Z",   "0",   " ",    "\n",   "\t",       "'",
        "\"",   "\\",  ":",   ": ",   "#",    " #",       "- ",
        "{",    "}",   "[",   "]",    ",",    "&",        "*",
        "!",    "%",   "|",   ">",    "?",    "~",        "null",
        "true", "0x1", "\r",  "\x01", "\x7f", "\xc3\xa9", "\xe2\x80\xa8",
        "@",    "`",   "---", "..."};
    std::string text;
    for (auto left = random_.below(6); left > 0; --left)
      text += pieces[random_.below(pieces.size())];
    return text;
  }

  Random random_;
};

TEST(ToYaml, IsReadBackAsTheSameValue) {
  for (std::uint64_t key = 0; key < 3000; ++key) {
    SCOPED_TRACE(key);
    AnyValue any{key};
    Value value = Value::map();
    value.set("a", any.draw(4));
    value.set("b", any.draw(4));
    const std::string text = to_yaml(value);
    SCOPED_TRACE(text);
    expect_equal(parse_yaml(text, "x"), value);
    if (HasFatalFailure() || HasNonfatalFailure()) return;
  }
}

TEST(Yaml, RefusesAQuoteThatIsNeverClosed) {
  for (const char* const text :
       {"a: 1\nrow: \"my row\nb: 2\n", "name: 'it''s", "\xc3\xa4: \"x\\\"\n"})
    EXPECT_THROW(parse_yaml(text, "x.yaml"), InputError) << text;
  EXPECT_EQ(parse_yaml("\xc3\xa4: \"x\\\"\"", "x.yaml").entries()[0].value.text(), "x\"");
  EXPECT_EQ(parse_yaml("a: 'it''s'", "x.yaml").find("a")->text(), "it's");
}

}  // namespace
}  // namespace thimble::yaml_test
