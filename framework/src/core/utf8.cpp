#include <thimble/core/utf8.hpp>

#include <algorithm>
#include <optional>

#include <thimble/core/error.hpp>

namespace thimble {
namespace {

/// Where the first byte is that is no UTF-8, or no text at all.
std::optional<std::size_t> first_broken_byte(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t more = lead < 0x80   ? 0
                             : lead < 0xc2 ? 9
                             : lead < 0xe0 ? 1
                             : lead < 0xf0 ? 2
                             : lead < 0xf5 ? 3
                                           : 9;
    if (lead == 0 || i + more >= text.size()) return i;
    for (std::size_t j = 1; j <= more; ++j)
      if ((static_cast<unsigned char>(text[i + j]) & 0xc0) != 0x80) return i;
    i += more + 1;
  }
  return std::nullopt;
}

}  // namespace

std::string_view plain_text(std::string_view text, const std::string& file,
                            const std::string& note) {
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff"))
    throw InputError{
        Diagnostic{{file, 1, 1}, "text is UTF-16, not UTF-8", "save the file as UTF-8"}};
  if (const auto broken = first_broken_byte(text))
    throw InputError{
        Diagnostic{place_of(*broken, text, file),
                   text[*broken] == '\0' ? "a NUL byte, not UTF-8 text" : "not UTF-8 text", note}};
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  return text;
}

Location place_of(std::size_t byte, std::string_view text, const std::string& file) {
  const std::string_view above = text.substr(0, byte);
  const auto line = 1 + std::count(above.begin(), above.end(), '\n');
  const auto column = byte - above.rfind('\n');  // npos is -1
  return {file, static_cast<int>(line), static_cast<int>(column)};
}

}  // namespace thimble
