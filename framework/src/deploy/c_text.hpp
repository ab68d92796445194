#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// Pieces of generated C.
namespace thimble {

/// INT32_MIN has no literal in C: the minus is no part of it.
std::string literal(std::int32_t value);

/// A brace initialiser of 4-byte members: integers and pointers.
class Members {
 public:
  Members& set(std::string_view name, std::int64_t value);
  Members& set(std::string_view name, const std::string& value);
  Members& set(std::string_view name, const Members& nested);

  std::string text() const { return "{" + text_ + "}"; }
  std::int64_t bytes() const { return bytes_; }

 private:
  Members& append(std::string_view name, const std::string& value);

  std::string text_;
  std::int64_t bytes_ = 0;
};

/// Words with separators, in lines of at most 100 columns.
std::string filled(const std::vector<std::string>& items);

}  // namespace thimble
