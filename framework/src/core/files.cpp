#include <thimble/core/files.hpp>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include <fmt/format.h>
#include <unistd.h>

#include <thimble/core/error.hpp>

namespace thimble {

std::string read_file(const std::filesystem::path& file, std::size_t limit_bytes) {
  const auto refuse = [&](const std::string& why, const std::string& note = {}) {
    return InputError{Diagnostic{{file.string()}, why, note}};
  };
  std::error_code trouble;
  const auto status = std::filesystem::status(file, trouble);
  if (!std::filesystem::exists(status)) throw refuse("no such file", "check the path");
  if (std::filesystem::is_directory(status)) throw refuse("is a folder, not a file");
  std::ifstream stream{file, std::ios::binary};
  if (!stream) throw refuse(fmt::format("cannot be read: {}", std::strerror(errno)));
  std::string text;
  std::string block(std::size_t{1} << 16, '\0');
  while (stream.read(block.data(), static_cast<std::streamsize>(block.size())) ||
         stream.gcount() > 0) {
    text.append(block, 0, static_cast<std::size_t>(stream.gcount()));
    if (text.size() > limit_bytes)
      throw refuse(fmt::format("larger than the {} bytes that are read at most", limit_bytes));
  }
  return text;
}

void write_file(const std::filesystem::path& file, std::string_view text) {
  const auto part = std::filesystem::path{file.string() + fmt::format(".part{}", ::getpid())};
  {
    std::ofstream stream{part, std::ios::binary | std::ios::trunc};
    stream.write(text.data(), static_cast<std::streamsize>(text.size()));
    stream.flush();
    if (!stream) {
      const std::string why = std::strerror(errno);
      std::error_code ignored;
      std::filesystem::remove(part, ignored);
      throw Error{fmt::format("cannot write '{}': {}", file.string(), why)};
    }
  }
  std::filesystem::rename(part, file);
}

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "thimble-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr)
    throw Error{fmt::format("cannot make the folder '{}': {}", pattern, std::strerror(errno)),
                "is the disk full? TMPDIR can name another folder for temporary files"};
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace thimble
