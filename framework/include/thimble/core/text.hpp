#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <thimble/core/export.hpp>

namespace thimble {

/// A character that is not shown but obeyed: ASCII's control characters, and those of Unicode that
/// turn the direction of what stands behind them (U+202A to U+202E, U+2066 to U+2069), so that a
/// text reads as what it is not.
struct ControlCharacter {
  std::size_t at;
  std::size_t bytes;
  std::uint32_t code;

  /// "\x0a", "\u202e".
  THIMBLE_EXPORT std::string escape() const;
};

/// The first of a text from a place on.
THIMBLE_EXPORT std::optional<ControlCharacter> find_control(std::string_view text,
                                                            std::size_t from = 0);

/// The text with something else for each of its control characters.
THIMBLE_EXPORT std::string replace_controls(
    std::string_view text, const std::function<std::string(const ControlCharacter&)>& by);

/// 'word', for messages. Control characters are shown as their escapes and long words are cut.
THIMBLE_EXPORT std::string in_quotes(std::string_view word);

THIMBLE_EXPORT std::string join(const std::vector<std::string>& words,
                                std::string_view between = ", ");

THIMBLE_EXPORT std::vector<std::string> split(std::string_view text, char separator);

/// What a list with "; " between its parts has and another has not: "b" for "a; b" and "a; c".
THIMBLE_EXPORT std::string parts_only_in(std::string_view list, std::string_view other);

/// Without blanks at either end.
THIMBLE_EXPORT std::string_view trimmed(std::string_view text);

/// The known word that `word` was probably meant to be: within a third of its length in edits,
/// two swapped letters counting as one.
THIMBLE_EXPORT std::optional<std::string> nearest(std::string_view word,
                                                  const std::vector<std::string>& known);

/// "; did you mean 'x'?", or nothing when no known word is near.
THIMBLE_EXPORT std::string did_you_mean(std::string_view word,
                                        const std::vector<std::string>& known);

/// "1 row", "0 rows", "2 batches".
THIMBLE_EXPORT std::string count_text(std::int64_t count, std::string_view what);

/// The shortest text that reads back as exactly this number.
THIMBLE_EXPORT std::string number_text(double value);

/// With so many digits behind the point.
THIMBLE_EXPORT std::string decimals(double value, int digits);

/// For people, with one decimal and a prefix of the unit that follows: "512 ", "1.2 k", "38.4 M",
/// "5.6 G". The value is not negative.
THIMBLE_EXPORT std::string with_prefix(double value);

/// Strict readers: the whole text must be the number, written plainly (no hex, no leading zeros).
THIMBLE_EXPORT std::optional<std::int64_t> parse_integer(std::string_view text);
THIMBLE_EXPORT std::optional<double> parse_number(std::string_view text);

/// [a-z][a-z0-9_]*: what plugins, objectives and keys are called.
THIMBLE_EXPORT bool is_identifier(std::string_view text);

/// A 64-bit fingerprint of a text, the same on every machine; for run identities, not for secrets.
THIMBLE_EXPORT std::uint64_t fingerprint(std::string_view text);
/// Likewise of much data, piece by piece: `before` is what the pieces before this one gave.
THIMBLE_EXPORT std::uint64_t fingerprint_of_data(std::span<const std::byte> bytes,
                                                 std::uint64_t before);
THIMBLE_EXPORT std::string hex(std::uint64_t value);

}  // namespace thimble
