#pragma once

#include <cstdint>
#include <map>
#include <string>

#include <thimble/core/export.hpp>

namespace thimble {

/// Curves as TensorBoard reads them: the content of a file whose name begins with
/// "events.out.tfevents". It tells no time of day, so equal curves give equal files.
class THIMBLE_EXPORT EventFile {
 public:
  EventFile();

  /// Numbers by their tags, such as "train/loss", at one step.
  void add(std::int64_t step, const std::map<std::string, double>& values);
  const std::string& bytes() const noexcept { return bytes_; }

 private:
  void append(const std::string& event);

  std::string bytes_;
};

}  // namespace thimble
