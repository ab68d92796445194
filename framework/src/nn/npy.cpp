#include <thimble/nn/npy.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <regex>
#include <string_view>
#include <type_traits>

#include <c10/util/Half.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <thimble/core/error.hpp>
#include <thimble/core/index.hpp>
#include <thimble/core/text.hpp>

namespace thimble {

/// A type of elements, by its NumPy name.
struct NpyType {
  std::string_view name;
  std::int64_t bytes;
  bool is_whole;
  void (*to_floats)(const std::uint8_t* from, std::span<float> to);
  void (*to_integers)(const std::uint8_t* from, std::span<std::int64_t> to);
};

namespace {

static_assert(std::endian::native == std::endian::little);

template <class T, class To>
void convert(const std::uint8_t* from, std::span<To> to) {
  for (To& value : to) {
    T element;
    std::memcpy(&element, from, sizeof element);  // they may lie anywhere
    value = static_cast<To>(element);             // NOLINT(bugprone-signed-char-misuse): no letters
    from += sizeof element;
  }
}

template <class T>
constexpr NpyType type_of(std::string_view name) {
  if constexpr (std::is_integral_v<T>)
    return {name, sizeof(T), true, convert<T, float>, convert<T, std::int64_t>};
  else
    return {name, sizeof(T), false, convert<T, float>, nullptr};
}

constexpr std::array kTypes{
    type_of<std::uint8_t>("|b1"),  type_of<std::uint8_t>("|u1"),  type_of<std::int8_t>("|i1"),
    type_of<std::int16_t>("<i2"),  type_of<std::uint16_t>("<u2"), type_of<std::int32_t>("<i4"),
    type_of<std::uint32_t>("<u4"), type_of<std::int64_t>("<i8"),  type_of<c10::Half>("<f2"),
    type_of<float>("<f4"),         type_of<double>("<f8"),
};

[[noreturn]] void refuse_array(const std::filesystem::path& file, std::string message,
                               std::string note = "write it again with numpy.save()") {
  throw InputError{Diagnostic{{file.string()}, std::move(message), std::move(note)}};
}

/// What stands before the elements.
struct Header {
  std::string text;
  std::size_t end = 0;  ///< the first byte of the elements
};

Header read_header(const MappedFile& file) {
  constexpr std::size_t kMost = 4096;  // of plain arrays; that of structures may be longer
  const std::string_view bytes{reinterpret_cast<const char*>(file.bytes().data()),
                               std::min(file.bytes().size(), kMost + 12)};
  if (!bytes.starts_with("\x93NUMPY")) refuse_array(file.path(), "not an array saved by NumPy");
  const bool is_first = bytes.substr(6).starts_with(std::string_view{"\x01\x00", 2});
  if (!is_first && !bytes.substr(6).starts_with(std::string_view{"\x02\x00", 2}))
    refuse_array(file.path(), "not of NumPy's format 1.0 or 2.0");
  const std::size_t begin = is_first ? 10 : 12;
  std::size_t length = 0;
  for (std::size_t byte = std::min(begin, bytes.size()); byte-- > 8;)
    length = 256 * length + static_cast<unsigned char>(bytes[byte]);
  if (length > kMost || bytes.size() < begin + length)
    refuse_array(
        file.path(),
        fmt::format("its header of {} bytes is cut off, or that of no plain array", length));
  return {std::string{bytes.substr(begin, length)}, begin + length};
}

std::string entry(const Header& header, const MappedFile& file, const char* key,
                  const std::regex& wanted) {
  std::smatch found;
  if (!std::regex_search(header.text, found, wanted))
    refuse_array(file.path(), fmt::format("its header does not say '{}' of a plain array", key));
  return found[1];
}

const NpyType& find_type(const std::string& name, const MappedFile& file) {
  const auto* const found =
      std::ranges::find_if(kTypes, [&](const NpyType& type) { return type.name == name; });
  if (found != kTypes.end()) return *found;
  std::vector<std::string> known;
  known.reserve(kTypes.size());
  for (const NpyType& type : kTypes) known.emplace_back(type.name);
  refuse_array(file.path(), "elements of type " + in_quotes(name) + " are not read",
               "convert them with astype(); known are " + join(known));
}

std::vector<std::int64_t> read_shape(const std::string& text, const MappedFile& file) {
  std::vector<std::int64_t> shape;
  for (const std::string& word : split(text, ',')) {
    if (trimmed(word).empty()) continue;  // behind the last comma
    const auto dimension = parse_integer(trimmed(word));
    if (!dimension || *dimension < 1)
      refuse_array(file.path(), "its shape (" + text + ") has no elements");
    shape.push_back(*dimension);
  }
  if (shape.empty()) refuse_array(file.path(), "a single number, no array");
  return shape;
}

}  // namespace

Npy::Npy(const std::filesystem::path& file) : file_{file} {
  static const std::regex kType{"'descr': *'([^']*)'"};
  static const std::regex kOrder{"'fortran_order': *(True|False)"};
  static const std::regex kShape{R"('shape': *\(([^)]*)\))"};
  const Header header = read_header(file_);
  type_ = &find_type(entry(header, file_, "descr", kType), file_);
  if (entry(header, file_, "fortran_order", kOrder) == "True")
    refuse_array(file, "its elements are in Fortran's order",
                 "numpy.save(file, numpy.ascontiguousarray(x)) writes them in C order");
  shape_ = read_shape(entry(header, file_, "shape", kShape), file_);
  const auto found = std::ssize(file_.bytes()) - static_cast<std::int64_t>(header.end);
  std::int64_t expected = type_->bytes;
  for (const std::int64_t dimension : shape_)
    if (__builtin_mul_overflow(expected, dimension, &expected))
      expected = std::numeric_limits<std::int64_t>::max();
  if (found != expected)
    refuse_array(file, fmt::format("{} of elements, expected {} for {} of the shape ({})",
                                   count_text(found, "byte"), expected, type_->name,
                                   fmt::join(shape_, ", ")));
  row_size_ = expected / type_->bytes / rows();
  elements_ = file_.bytes().data() + header.end;
}

std::string Npy::type() const { return std::string{type_->name}; }

void Npy::read(std::int64_t row, std::span<float> to) const {
  type_->to_floats(elements_ + row * row_size_ * type_->bytes, to);
  if (type_->is_whole) return;
  const auto bad = std::ranges::find_if_not(to, [](float value) { return std::isfinite(value); });
  if (bad != to.end())
    refuse_array(
        path(),
        fmt::format("element {} of row {} (the first are 0) is {}", bad - to.begin(), row, *bad),
        "replace what is missing by numbers");
}

std::vector<std::int64_t> Npy::whole_numbers() const {
  if (shape_.size() != 1 || !type_->is_whole)
    refuse_array(path(),
                 fmt::format("{} of the shape ({}), expected whole numbers of the shape (N)",
                             type_->name, fmt::join(shape_, ", ")),
                 "a number a sample, as y.astype('int64').ravel() has them");
  std::vector<std::int64_t> numbers(at(rows()));
  type_->to_integers(elements_, numbers);
  return numbers;
}

}  // namespace thimble
