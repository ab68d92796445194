#include <thimble/deploy/generate_c.hpp>

#include <algorithm>
#include <cctype>
#include <span>

#include <fmt/format.h>

#include <thimble/deploy/kernels.hpp>
#include "network_writer.hpp"
#include "packing.hpp"

namespace thimble {
namespace {

constexpr std::int64_t kAlignment = 4;

std::string header(const std::string& name, const Parts& parts) {
  std::string guard = name + "_H";
  std::ranges::transform(guard, guard.begin(), [](unsigned char c) { return std::toupper(c); });
  return fmt::format(
      "/* Made by thimble. */\n#ifndef {0}\n#define {0}\n\n#include <stdint.h>\n\n"
      "#ifdef __cplusplus\nextern \"C\" {{\n#endif\n{1}\n#ifdef "
      "__cplusplus\n}}\n#endif\n\n#endif\n",
      guard, parts.declarations);
}

std::string source(const std::string& name, const Parts& parts, std::int64_t arena_bytes) {
  std::string text = fmt::format(
      "/* Made by thimble: kernels, then constants layer by layer, then what {0}.h declares. */\n"
      "#include \"{0}.h\"\n\n{1}",
      name, kernel_source("base"));
  for (const std::string& kernel : parts.kernels)
    text += fmt::format("\n{}", kernel_source(kernel));
  return text +
         fmt::format(
             "\n/* With THIMBLE_PROFILE, whoever links this is told when layer i begins (2 i) and "
             "ends (2 i + 1). */\n"
             "#if defined(THIMBLE_PROFILE)\nvoid thimble_mark(uint32_t mark);\n"
             "#define THIMBLE_MARK(mark) thimble_mark(mark)\n#else\n"
             "#define THIMBLE_MARK(mark) ((void)0)\n#endif\n\n"
             "static int8_t {}[{}] WORD_ALIGNED;\n{}{}",
             parts.arena, arena_bytes, parts.constants, parts.functions);
}

}  // namespace

std::int64_t scratch_bytes(const Int8Network& network, const Int8Layer& layer) {
  const Kernel kernel = kernel_for(network, layer);
  if (kernel == Kernel::conv) {
    constexpr int kColumns = 2;
    constexpr int kColumnValueBytes = 2;  // with the DSP extension
    const Unfolded window{network, layer};
    return (kColumns * kColumnValueBytes * window.rows + 1) * window.row_words * kLanes;
  }
  if (kernel == Kernel::depthwise && reaches_beyond(network, layer))
    return std::int64_t{layer.window.height} * layer.window.width *
           network.tensor(layer.inputs[0]).shape.channels;
  return 0;
}

OpParts op_parts(const OpShape& op) {
  const Int8Network network = blank_network_of(op);
  const MemoryPlan plan = plan_memory(network, scratch_bytes, kAlignment);
  Parts parts;
  parts.writes_values = false;
  write_network(network, plan, parts);
  return {parts.constant_bytes, parts.kernels};
}

CSource generate_c(const Int8Network& network) { return generate_c(std::span{&network, 1}); }

CSource generate_c(std::span<const Int8Network> networks) {
  Parts parts;
  const std::string& name = networks.front().name;
  parts.arena = name + "_arena";
  MemoryPlan largest;
  for (const Int8Network& network : networks) {
    MemoryPlan plan = plan_memory(network, scratch_bytes, kAlignment);
    write_network(network, plan, parts);
    if (plan.arena_bytes > largest.arena_bytes) largest = std::move(plan);
  }
  return {header(name, parts), source(name, parts, largest.arena_bytes), largest,
          parts.constant_bytes, parts.kernels};
}

}  // namespace thimble
