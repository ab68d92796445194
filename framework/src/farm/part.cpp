#include <thimble/farm/part.hpp>

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include <thimble/core/error.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/text.hpp>

namespace thimble {
namespace {

constexpr const char* kPartName = ".part";
constexpr std::array<const char*, 4> kKinds{"point", "candidates", "supernets", "training"};

std::filesystem::path file_of(const std::filesystem::path& run, const std::string& name) {
  return run / "farm" / "parts" / (name + kPartName);
}

/// A line each: kind, point, seed, key, and the candidates.
std::string part_text(const Part& part) {
  std::string text = fmt::format("{}\n{}\n{}\n{}\n", kKinds[static_cast<std::size_t>(part.kind)],
                                 part.point, part.seed, part.key);
  for (const std::string& candidate : part.candidates) text += candidate + "\n";
  return text;
}

}  // namespace

std::string Part::name() const {
  return fmt::format("{}-{:03}-{}", kKinds[static_cast<std::size_t>(kind)], point + 1,
                     hex(fingerprint(part_text(*this))));
}

void write_part(const std::filesystem::path& run, const Part& part) {
  const auto file = file_of(run, part.name());
  make_folder(file.parent_path());
  if (!std::filesystem::exists(file)) write_file(file, part_text(part));
}

std::vector<std::string> parts_of(const std::filesystem::path& run) {
  std::vector<std::string> names;
  std::error_code trouble;
  for (std::filesystem::directory_iterator it{run / "farm" / "parts", trouble}, end;
       !trouble && it != end; it.increment(trouble))
    if (it->path().extension() == kPartName) names.push_back(it->path().stem().string());
  std::ranges::sort(names);
  return names;
}

Part read_part(const std::filesystem::path& run, const std::string& name) {
  const auto file = file_of(run, name);
  const auto lines = split(read_file(file), '\n');
  Part part;
  if (lines.size() >= 5) {
    for (std::size_t kind = 0; kind < kKinds.size(); ++kind)
      if (lines[0] == kKinds[kind]) part.kind = static_cast<Part::Kind>(kind);
    part.point = std::strtoull(lines[1].c_str(), nullptr, 10);
    part.seed = std::strtoull(lines[2].c_str(), nullptr, 10);
    part.key = lines[3];
    part.candidates.assign(lines.begin() + 4, lines.end() - 1);
  }
  if (part.name() != name)
    throw InputError{Diagnostic{
        {file.string()}, "the part has been changed", "remove it, and go on with run --resume"}};
  return part;
}

}  // namespace thimble
