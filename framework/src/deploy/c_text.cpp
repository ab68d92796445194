#include "c_text.hpp"

#include <limits>

#include <fmt/format.h>

namespace thimble {

std::string literal(std::int32_t value) {
  return value == std::numeric_limits<std::int32_t>::min() ? "INT32_MIN" : fmt::to_string(value);
}

Members& Members::set(std::string_view name, std::int64_t value) {
  return set(name, fmt::to_string(value));
}

Members& Members::set(std::string_view name, const std::string& value) {
  bytes_ += 4;
  return append(name, value);
}

Members& Members::set(std::string_view name, const Members& nested) {
  bytes_ += nested.bytes_;
  return append(name, nested.text());
}

Members& Members::append(std::string_view name, const std::string& value) {
  text_ += fmt::format("{}.{} = {}", text_.empty() ? "" : ", ", name, value);
  return *this;
}

std::string filled(const std::vector<std::string>& items) {
  std::string text;
  std::size_t column = 0;
  for (const std::string& item : items) {
    if (column == 0 || column + item.size() + 2 > 100) {
      text += text.empty() ? "  " : "\n  ";
      column = 2;
    } else {
      text += ' ';
      ++column;
    }
    text += item + ",";
    column += item.size() + 1;
  }
  return text + "\n";
}

}  // namespace thimble
