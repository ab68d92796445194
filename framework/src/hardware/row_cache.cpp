#include <thimble/hardware/row_cache.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <thimble/core/error.hpp>

namespace thimble {
namespace {

namespace fs = std::filesystem;

/// Waits for the others. The system lets go of it when the process dies.
class Lock {
 public:
  explicit Lock(const fs::path& file)
      : file_{::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)} {
    if (file_ < 0 || ::flock(file_, LOCK_EX) != 0)
      throw Error{fmt::format("cannot lock '{}'", file.string())};
  }
  ~Lock() { ::close(file_); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  int file_;
};

}  // namespace

RowCache::RowCache(fs::path file) : file_{std::move(file)} {}

LatencyTable RowCache::read() const {
  return fs::exists(file_) ? read_latency_table(file_) : LatencyTable{};
}

void RowCache::add(std::span<const OpRow> rows) const {
  std::error_code trouble;
  fs::create_directories(file_.parent_path(), trouble);
  if (trouble)
    throw Error{
        fmt::format("cannot make '{}': {}", file_.parent_path().string(), trouble.message())};
  const Lock lock{file_.string() + ".lock"};
  LatencyTable table = read();
  for (const OpRow& row : rows) table.add(row);
  write_latency_table(file_, table);
}

}  // namespace thimble
