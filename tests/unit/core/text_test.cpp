#include <cmath>
#include <limits>
#include <set>
#include <span>
#include <string>

#include <gtest/gtest.h>

#include <thimble/core/random.hpp>
#include <thimble/core/text.hpp>

namespace thimble::text_test {
namespace {

TEST(CountText, IsAsPeopleSayIt) {
  EXPECT_EQ(count_text(0, "row"), "0 rows");
  EXPECT_EQ(count_text(1, "row"), "1 row");
  EXPECT_EQ(count_text(2, "batch"), "2 batches");
  EXPECT_EQ(count_text(40, "epoch"), "40 epochs");
}

TEST(InQuotes, ShowsControlCharactersAndCutsLongWords) {
  EXPECT_EQ(in_quotes("word"), "'word'");
  EXPECT_EQ(in_quotes(""), "''");
  EXPECT_EQ(in_quotes(std::string_view{"a\n\x1b\0\x7f", 5}), "'a\\x0a\\x1b\\x00\\x7f'");
  EXPECT_EQ(in_quotes("\xc3\xa9"), "'\xc3\xa9'");
  EXPECT_EQ(in_quotes("a\u202egnp\u202c \u2066b\u2069"), "'a\\u202egnp\\u202c \\u2066b\\u2069'");
  EXPECT_EQ(in_quotes("\u2029\u202f\u2065\u206a\xe2*"), "'\u2029\u202f\u2065\u206a\xe2*'")
      << "none of them turns text around";
  EXPECT_EQ(in_quotes(std::string(80, 'x')), "'" + std::string(80, 'x') + "'");
  EXPECT_EQ(in_quotes(std::string(81, 'x')), "'" + std::string(80, 'x') + "...'");
}

TEST(PartsOnlyIn, AreThoseThatTheOtherListHasNot) {
  EXPECT_EQ(parts_only_in("gcc 12; asan 0; torch 2.6.0", "gcc 12; asan 0; torch 1.13.0"),
            "torch 2.6.0");
  EXPECT_EQ(parts_only_in("a; b; c", "b"), "a; c");
  EXPECT_EQ(parts_only_in("a; b", "b; a"), "");
  EXPECT_EQ(parts_only_in("", "a"), "");
  EXPECT_EQ(parts_only_in("a, b; c", ""), "a, b; c");
}

TEST(Split, IsUndoneByJoin) {
  EXPECT_EQ(split("a,,b,", ','), (std::vector<std::string>{"a", "", "b", ""}));
  EXPECT_EQ(split("", ','), std::vector<std::string>{""});
  for (const char* const text : {"", ",", "a", "a,b", ",a,,b,"})
    EXPECT_EQ(join(split(text, ','), ","), text);
}

TEST(Trimmed, TakesBlanksFromTheEndsAlone) {
  EXPECT_EQ(trimmed(" \t a b\r\n"), "a b");
  EXPECT_EQ(trimmed(" \n"), "");
  EXPECT_EQ(trimmed(""), "");
}

TEST(Nearest, FindsWordsWithinAThirdOfTheirLength) {
  const std::vector<std::string> known{"batch", "batches", "repeats", "ntk", "latency_ms"};
  EXPECT_EQ(nearest("bacth", known), "batch");  // two swapped letters are one edit
  EXPECT_EQ(nearest("batchs", known), "batch");
  EXPECT_EQ(nearest("nkt", known), "ntk");
  EXPECT_EQ(nearest("latencyms", known), "latency_ms");
  EXPECT_EQ(nearest("ntk", known), "ntk");
  EXPECT_EQ(nearest("nope", known), std::nullopt);
  EXPECT_EQ(nearest("", known), std::nullopt);
  EXPECT_EQ(nearest("x", {"y"}), std::nullopt) << "nothing in common";
  EXPECT_EQ(nearest(std::string(65, 'a'), {std::string(64, 'a')}), std::nullopt);
}

TEST(DidYouMean, SaysNothingWhenNothingIsNear) {
  EXPECT_EQ(did_you_mean("bacth", {"batch"}), "; did you mean 'batch'?");
  EXPECT_EQ(did_you_mean("colour", {"batch"}), "");
}

TEST(NumberText, ReadsBackAsTheSameNumber) {
  Random random{7};
  for (int i = 0; i < 20000; ++i) {
    const double value = std::ldexp(random.normal(), static_cast<int>(random.below(1000)) - 500);
    EXPECT_EQ(parse_number(number_text(value)), value) << number_text(value);
  }
  EXPECT_EQ(number_text(0.1), "0.1");
  EXPECT_EQ(decimals(93.8281, 2), "93.83");
  EXPECT_EQ(decimals(-1e300, 0).size(), 302U);
  EXPECT_EQ(decimals(std::numeric_limits<double>::quiet_NaN(), 2), "nan");
  EXPECT_EQ(number_text(3), "3");
  for (const double value :
       {0.0, std::numeric_limits<double>::min(), std::numeric_limits<double>::denorm_min(),
        std::numeric_limits<double>::max(), -std::numeric_limits<double>::max()})
    EXPECT_EQ(parse_number(number_text(value)), value);
}

TEST(WithPrefix, FitsTheSize) {
  EXPECT_EQ(with_prefix(0), "0 ");
  EXPECT_EQ(with_prefix(512), "512 ");
  EXPECT_EQ(with_prefix(1234), "1.2 k");
  EXPECT_EQ(with_prefix(999'960), "1.0 M") << "not 1000.0 k";
  EXPECT_EQ(with_prefix(38.4e6), "38.4 M");
  EXPECT_EQ(with_prefix(5.61e9), "5.6 G");
  EXPECT_EQ(with_prefix(2e16), "20000.0 T");
}

TEST(ParseInteger, ReadsPlainDecimalsOnly) {
  EXPECT_EQ(parse_integer("0"), 0);
  EXPECT_EQ(parse_integer("-17"), -17);
  EXPECT_EQ(parse_integer("9223372036854775807"), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(parse_integer("-9223372036854775808"), std::numeric_limits<std::int64_t>::min());
  for (const char* const text : {"", "-", "+1", "01", "-01", "00", "0x10", "1.0", "1e3", " 1", "1 ",
                                 "1_000", "--1", "9223372036854775808", "one"})
    EXPECT_EQ(parse_integer(text), std::nullopt) << text;
}

TEST(ParseNumber, ReadsPlainDecimalsOnly) {
  EXPECT_EQ(parse_number("0.5"), 0.5);
  EXPECT_EQ(parse_number("-1e-3"), -1e-3);
  EXPECT_EQ(parse_number("1E+3"), 1000);
  EXPECT_EQ(parse_number("0"), 0);
  for (const char* const text : {"", "-", ".5", "5.", "+1", "01", "00.5", "0x1p3", "nan", "inf",
                                 "-inf", ".inf", "1,5", " 1", "1 ", "1e", "1e999", "--1"})
    EXPECT_EQ(parse_number(text), std::nullopt) << text;
}

TEST(IsIdentifier, WantsLowerCaseBeginningWithALetter) {
  for (const char* const text : {"a", "ntk", "latency_ms", "x1_"}) EXPECT_TRUE(is_identifier(text));
  for (const char* const text : {"", "1a", "_a", "A", "aB", "a-b", "a b", "a.b", "\xc3\xa9"})
    EXPECT_FALSE(is_identifier(text)) << text;
}

TEST(Fingerprint, IsTheSameForEver) {
  // Identities of old runs depend on it.
  EXPECT_EQ(hex(fingerprint("")), "f52a15e9a9b5e89b");
  EXPECT_EQ(hex(fingerprint("thimble")), "ba80ba61aca72402");
  EXPECT_NE(fingerprint("ab"), fingerprint("ba"));
  EXPECT_EQ(hex(0x12ab), "00000000000012ab");
}

TEST(Text, FingerprintsOfDataSeeEveryByteAndWhereItStands) {
  const auto of = [](std::string_view text, std::uint64_t before = 0) {
    return fingerprint_of_data(std::as_bytes(std::span{text}), before);
  };
  EXPECT_EQ(hex(of("")), "88049bedeec9d855");
  EXPECT_EQ(hex(of("thimble")), "0fd76e92567df0dc");
  std::set<std::uint64_t> seen;
  for (std::size_t size = 0; size < 100; ++size) {
    const std::string zeros(size, '\0');
    seen.insert(of(zeros));
    for (std::size_t place = 0; place < size; ++place) {
      std::string text = zeros;
      text[place] = 1;
      seen.insert(of(text));
    }
  }
  EXPECT_EQ(seen.size(), 100U + 99 * 100 / 2);
  EXPECT_NE(of("b", of("a")), of("a", of("b")));
}

}  // namespace
}  // namespace thimble::text_test
