#include <thimble/core/mapped_file.hpp>

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thimble/core/error.hpp>

namespace thimble {
namespace {

class OpenFile {
 public:
  // Without O_NONBLOCK, opening a pipe would wait for its writer.
  explicit OpenFile(const std::filesystem::path& file)
      : number_{::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)} {}
  ~OpenFile() {
    if (number_ >= 0) ::close(number_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  int number() const noexcept { return number_; }

 private:
  int number_;
};

[[noreturn]] void refuse_file(const std::filesystem::path& file, std::string message) {
  throw InputError{Diagnostic{{file.string()}, std::move(message), {}}};
}

[[noreturn]] void refuse_to_open(const std::filesystem::path& file, const char* what) {
  refuse_file(file, std::string{"cannot be "} + what + ": " + std::strerror(errno));
}

}  // namespace

void MappedFile::Unmap::operator()(const std::uint8_t* data) const noexcept {
  ::munmap(const_cast<std::uint8_t*>(data), bytes);
}

MappedFile::MappedFile(const std::filesystem::path& file) : path_{file} {
  const OpenFile opened{file};
  if (opened.number() < 0 && errno == ENOENT) refuse_file(file, "no such file");
  struct stat status {};
  if (opened.number() < 0 || ::fstat(opened.number(), &status) != 0) refuse_to_open(file, "read");
  if (!S_ISREG(status.st_mode)) refuse_file(file, "not a file");
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size == 0) return;  // nothing cannot be mapped
  void* const data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, opened.number(), 0);
  if (data == MAP_FAILED) refuse_to_open(file, "mapped into memory");
  data_ = {static_cast<const std::uint8_t*>(data), Unmap{size}};
}

}  // namespace thimble
