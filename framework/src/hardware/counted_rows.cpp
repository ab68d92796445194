#include <thimble/hardware/counted_rows.hpp>

#include <thimble/deploy/generate_c.hpp>

namespace thimble {

std::string own_kernels() { return "thimble " + kernels_version(); }

CountedRows counted_rows(const Profiler& profiler, std::span<const OpShape> ops) {
  const Profile profile = profiler.profile(ops);
  CountedRows made;
  made.too_large = profile.too_large;
  for (const OpCount& count : profile.ops) {
    OpRow row;
    row.op = count.op;
    row.target = name_of(profiler.core());
    row.kernels = own_kernels();
    row.compiler = "gcc " + profiler.compiler_version();
    row.flags = FirmwareOptions{}.optimisation;
    row.instructions = static_cast<double>(count.instructions);
    row.origin = Origin::counted;
    row.constant_bytes = count.constant_bytes;
    for (const std::string& kernel : count.kernels)
      row.code_bytes[kernel] = profile.code_bytes.at(kernel);
    for (const auto& [name, number] : count.classes)
      row.classes[name] = static_cast<std::int64_t>(number);
    made.rows.push_back(std::move(row));
  }
  return made;
}

}  // namespace thimble
