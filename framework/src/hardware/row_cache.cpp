#include <thimble/hardware/row_cache.hpp>

#include <fmt/format.h>

#include <thimble/core/error.hpp>
#include <thimble/core/files.hpp>

namespace thimble {
namespace fs = std::filesystem;

RowCache::RowCache(fs::path file) : file_{std::move(file)} {}

LatencyTable RowCache::read(const Warn& warn) const {
  std::error_code unreachable;
  if (!fs::exists(file_, unreachable)) return {};
  try {
    return read_latency_table(file_);
  } catch (const InputError& error) {
    const Diagnostic& first = error.diagnostics().front();
    warn("the cache of counted operators is made anew, for it cannot be read: " +
         to_string(Diagnostic{first.where, first.message, {}}));
    return {};
  }
}

void RowCache::add(std::span<const OpRow> rows, const Warn& warn) const {
  std::error_code trouble;
  fs::create_directories(file_.parent_path(), trouble);
  if (trouble)
    throw Error{
        fmt::format("cannot make '{}': {}", file_.parent_path().string(), trouble.message())};
  const FileLock lock{file_};
  LatencyTable table = read(warn);
  for (const OpRow& row : rows) table.add(row);
  write_latency_table(file_, table);
}

}  // namespace thimble
