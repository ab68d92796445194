#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/core/mapped_file.hpp>

namespace thimble {

struct NpyType;

/// An array that NumPy saved: format 1.0 or 2.0, C order, little-endian numbers. The file is
/// mapped, and numbers are converted as they are asked for. const is thread safe.
class THIMBLE_EXPORT Npy {
 public:
  /// Throws InputError that names the file and what is wrong with it.
  explicit Npy(const std::filesystem::path& file);

  const std::filesystem::path& path() const noexcept { return file_.path(); }
  const std::vector<std::int64_t>& shape() const noexcept { return shape_; }
  std::int64_t rows() const noexcept { return shape_.front(); }
  /// Elements of one row.
  std::int64_t row_size() const noexcept { return row_size_; }
  /// As NumPy writes it: "<i2".
  std::string type() const;

  /// A row, in C order; the span has its size. Throws InputError when a number in it is not finite.
  void read(std::int64_t row, std::span<float> to) const;
  /// All elements of an array of one dimension. Throws InputError when it is another, or when its
  /// type has fractions.
  std::vector<std::int64_t> whole_numbers() const;

 private:
  MappedFile file_;
  const NpyType* type_ = nullptr;
  std::vector<std::int64_t> shape_;
  std::int64_t row_size_ = 1;
  const std::uint8_t* elements_ = nullptr;
};

}  // namespace thimble
