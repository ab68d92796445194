#include <thimble/train/tensor_file.hpp>

#include <array>
#include <bit>
#include <cstring>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <thimble/core/error.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/index.hpp>
#include <thimble/core/text.hpp>
#include <thimble/nn/propagation/tensor.hpp>

namespace thimble {
namespace {

using Json = nlohmann::ordered_json;

static_assert(std::endian::native == std::endian::little, "the format's numbers are written as is");

constexpr const char* kAbout = "__metadata__";
constexpr const char* kDigest = "digest";  // of the numbers, where thimble wrote the file
constexpr std::size_t kAlignment = 8;

struct Type {
  const char* name;
  at::ScalarType type;
};
constexpr std::array kTypes{Type{"F32", at::kFloat}, Type{"F64", at::kDouble},
                            Type{"I64", at::kLong}};

const char* name_of_type(const std::string& tensor, at::ScalarType type) {
  for (const Type& known : kTypes)
    if (known.type == type) return known.name;
  throw Error{"tensor '" + tensor + "' is of a type that is not written"};
}

/// Reads one file; every problem names it.
class Reader {
 public:
  explicit Reader(const std::filesystem::path& file) : file_{file}, bytes_{read_file(file)} {}

  TensorFile read() {
    TensorFile content;
    const Json header = read_header();
    for (const auto& [name, entry] : header.items()) {
      if (name == kAbout) {
        for (const auto& [key, value] : entry.items())
          content.about[key] = value.get<std::string>();
      } else {
        content.tensors[name] = read_tensor(name, entry);
      }
    }
    const auto digest = content.about.extract(kDigest);
    if (!digest.empty() && digest.mapped() != hex(fingerprint(body_)))
      refuse("its numbers have changed since they were written");
    return content;
  }

  [[noreturn]] void refuse(const std::string& message) const {
    throw InputError{Diagnostic{{file_.string()},
                                message,
                                "it is damaged, or no file of safetensors: remove it, and it is "
                                "made anew where thimble made it"}};
  }

 private:
  Json read_header() {
    std::uint64_t length = 0;
    if (bytes_.size() < sizeof length) refuse("too short for a file of tensors");
    std::memcpy(&length, bytes_.data(), sizeof length);
    if (length > bytes_.size() - sizeof length)
      refuse(fmt::format("its header should have {} bytes, {} are there", length,
                         bytes_.size() - sizeof length));
    body_ = std::string_view{bytes_}.substr(sizeof length + length);
    return Json::parse(std::string_view{bytes_}.substr(sizeof length, length));
  }

  at::Tensor read_tensor(const std::string& name, const Json& entry) const {
    const auto type = entry.at("dtype").get<std::string>();
    const auto shape = entry.at("shape").get<std::vector<std::int64_t>>();
    const auto offsets = entry.at("data_offsets").get<std::array<std::size_t, 2>>();
    for (const Type& known : kTypes) {
      if (type != known.name) continue;
      std::size_t bytes = c10::elementSize(known.type);
      for (const std::int64_t size : shape) {
        if (size < 0 || (size > 0 && bytes > body_.size() / at(size)))
          refuse(fmt::format("tensor '{}' is larger than the file", name));
        bytes *= at(size);
      }
      if (offsets[0] > offsets[1] || offsets[1] > body_.size() || offsets[1] - offsets[0] != bytes)
        refuse(fmt::format("tensor '{}' should have {} bytes, at {} to {} of {}", name, bytes,
                           offsets[0], offsets[1], body_.size()));
      at::Tensor tensor = at::empty(shape, known.type);
      if (bytes > 0) std::memcpy(tensor.data_ptr(), body_.data() + offsets[0], bytes);
      return tensor;
    }
    refuse(fmt::format("tensor '{}' is of the type {}, which is not read", name, type));
  }

  const std::filesystem::path& file_;
  std::string bytes_;
  std::string_view body_;
};

}  // namespace

void write_tensors(const std::filesystem::path& file, const TensorFile& content) {
  Json header = Json::object();
  header[kAbout] = content.about;
  std::string body;
  for (const auto& [name, given] : content.tensors) {
    const at::Tensor tensor = given.detach().contiguous();
    const std::size_t begin = body.size();
    body.append(static_cast<const char*>(tensor.data_ptr()), tensor.nbytes());
    header[name] = {
        {"dtype", name_of_type(name, tensor.scalar_type())},
        {"shape", std::vector<std::int64_t>{tensor.sizes().begin(), tensor.sizes().end()}},
        {"data_offsets", {begin, body.size()}}};
  }
  header[kAbout][kDigest] = hex(fingerprint(body));
  std::string text = header.dump();
  text.append((kAlignment - text.size() % kAlignment) % kAlignment, ' ');
  const std::uint64_t length = text.size();
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  write_file(file, bytes + text + body);
}

TensorFile read_tensors(const std::filesystem::path& file) {
  Reader reader{file};
  try {
    return reader.read();
  } catch (const Json::exception&) {
    reader.refuse("its header is not as safetensors has it");
  }
}

}  // namespace thimble
