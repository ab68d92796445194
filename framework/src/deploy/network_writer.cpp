#include "network_writer.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <span>

#include <fmt/format.h>

#include <thimble/core/index.hpp>
#include "box_writer.hpp"
#include "c_text.hpp"
#include "packing.hpp"

namespace thimble {
namespace {

/// Writes one network, layer by layer.
class NetworkWriter {
 public:
  NetworkWriter(const Int8Network& network, const MemoryPlan& plan, Parts& parts)
      : network_{network}, plan_{plan}, parts_{parts} {}

  void run() {
    for (std::size_t i = 0; i < network_.layers.size(); ++i) write_layer(i);
    parts_.layers += network_.layers.size();
    parts_.declarations += declarations();
    parts_.functions += functions();
    if (network_.boxes) write_boxes(network_, place(network_.output), parts_);
  }

 private:
  void write_layer(std::size_t index) {
    const Int8Layer& layer = network_.layers[index];
    const std::size_t number = parts_.layers + index;
    symbol_ = fmt::format("layer{}", number);
    scratch_ = plan_.scratch_offsets[index];
    parts_.constants += fmt::format("\n/* {}: {}, {} -> {} */\n", number, name_of(layer.kernel),
                                    to_string(in(layer).shape), to_string(out(layer).shape));
    calls_ += fmt::format("  THIMBLE_MARK({});\n", 2 * number);
    write_kernel(layer);
    calls_ += fmt::format("  THIMBLE_MARK({});\n", 2 * number + 1);
  }

  void write_kernel(const Int8Layer& layer) {
    switch (kernel_for(network_, layer)) {
      case Kernel::conv: write_conv(layer); break;
      case Kernel::depthwise: write_depthwise(layer); break;
      case Kernel::linear: write_linear(layer); break;
      case Kernel::avg_pool: write_pool(layer, "avg_pool", {"sums"}); break;
      case Kernel::max_pool: write_pool(layer, "max_pool", {}); break;
      case Kernel::mean: write_mean(layer); break;
      case Kernel::relu: write_relu(layer); return;
      case Kernel::add: write_add(layer); break;
      case Kernel::concat: write_concat(layer); return;
      case Kernel::softmax: write_softmax(layer); break;
    }
    if (layer.lowest > -128 || layer.highest < 127)
      write_clamp(layer, layer.output, layer.lowest, layer.highest);
  }

  void write_conv(const Int8Layer& layer) {
    use("conv", {"requantise"});
    const Packed packed = packed_conv(network_, layer);
    Members members;
    members.set("window", window_of(layer))
        .set("weights", weights(packed))
        .set("channels", channels(layer, packed.channels))
        .set("out_channels", out(layer).shape.channels)
        .set("groups", Unfolded{network_, layer}.groups)
        .set("zero_in", in(layer).quantisation.zero_point)
        .set("zero_out", zero_out(layer));
    call("conv", members, layer.inputs[0], layer.output, scratch_);
  }

  void write_linear(const Int8Layer& layer) {
    use("linear", {"requantise"});
    const Packed packed = packed_linear(network_, layer);
    Members members;
    members.set("weights", weights(packed))
        .set("channels", channels(layer, packed.channels))
        .set("words", words(in(layer).shape.elements()))
        .set("filters", out(layer).shape.channels)
        .set("zero_out", zero_out(layer));
    call("linear", members, layer.inputs[0], layer.output);
  }

  void write_depthwise(const Int8Layer& layer) {
    const int width = layer.window.width;
    const std::string variant = width == 3 || width == 5 ? fmt::to_string(width) : "any";
    use("depthwise", {"requantise"});
    use("depthwise_" + variant, {});
    const Packed packed = packed_depthwise(network_, layer);
    Members members;
    members.set("multiply", "multiply_width_" + variant)
        .set("window", window_of(layer))
        .set("weights", weights(packed))
        .set("channels", channels(layer, packed.channels))
        .set("zero_in", in(layer).quantisation.zero_point)
        .set("zero_out", zero_out(layer));
    call("depthwise", members, layer.inputs[0], layer.output, scratch_);
  }

  void write_pool(const Int8Layer& layer, const std::string& kernel,
                  std::initializer_list<const char*> needs) {
    use(kernel, needs);
    call(kernel, "window", window_of(layer), layer.inputs[0], layer.output);
  }

  void write_mean(const Int8Layer& layer) {
    use("mean", {"rescale", "sums"});
    const auto& [name, shape, quantisation] = in(layer);
    Members members;
    members.set("pixels", shape.pixels())
        .set("channels", shape.channels)
        .set("offset", quantisation.zero_point * shape.pixels())
        .set("multiplier", layer.rescale[0].multiplier)
        .set("shift", layer.rescale[0].shift)
        .set("zero_out", out(layer).quantisation.zero_point);
    call("mean", members, layer.inputs[0], layer.output);
  }

  using Table = std::array<std::int8_t, 256>;

  /// What becomes of each value of an input, by its bits.
  Table table_of(const Int8Layer& layer, int input, const Rescale& factor) const {
    Table table{};
    for (int x = -128; x < 128; ++x) {
      const std::int32_t y = rescaled(x - network_.tensor(input).quantisation.zero_point, factor) +
                             out(layer).quantisation.zero_point;
      table[static_cast<std::uint8_t>(x)] =
          static_cast<std::int8_t>(std::clamp(y, layer.lowest, layer.highest));
    }
    return table;
  }

  void write_relu(const Int8Layer& layer) {
    const Table table = table_of(layer, layer.inputs[0], layer.rescale[0]);
    write_lookup(layer.inputs[0], layer, table, 1, in(layer).shape.elements(), 0);
  }

  void write_clamp(const Int8Layer& layer, int input, int lowest, int highest) {
    use("clamp", {});
    Members members;
    members.set("words", words(out(layer).shape.elements()))
        .set("lowest", lowest)
        .set("highest", highest);
    const std::string symbol = symbol_;
    symbol_ += "_clamp";
    call("clamp", members, input, layer.output);
    symbol_ = symbol;
  }

  void write_lookup(int input, const Int8Layer& layer, const Table& table, std::int64_t rows,
                    std::int64_t length, std::int64_t offset) {
    use("lookup", {});
    Members members;
    members.set("table", array("table", table))
        .set("rows", rows)
        .set("length", length)
        .set("step", out(layer).shape.channels);
    call("lookup", "lookup", members, place(input), place(layer.output, offset));
  }

  void write_add(const Int8Layer& layer) {
    use("add", {"requantise"});
    std::vector<std::string> terms;
    for (std::size_t i = 0; i < layer.inputs.size(); ++i) {
      const Int8Tensor& tensor = network_.tensor(layer.inputs[i]);
      Members term;
      term.set("in", place(layer.inputs[i]))
          .set("zero", std::int64_t{tensor.quantisation.zero_point} * (1 << 20))
          .set("factor", members_of(factor_of_term(layer.input_rescale[i])));
      parts_.constant_bytes += term.bytes();
      terms.push_back(term.text());
    }
    parts_.constants += fmt::format("static const struct term {}_terms[{}] = {{\n{}}};\n", symbol_,
                                    terms.size(), filled(terms));
    Members members;
    members.set("terms", symbol_ + "_terms")
        .set("count", static_cast<std::int64_t>(terms.size()))
        .set("words", words(out(layer).shape.elements()))
        .set("factor", members_of(factor_of(layer.rescale[0])))
        .set("zero_out", zero_out(layer));
    describe("add", members);
    calls_ += fmt::format("  add(&{}, {});\n", symbol_, place(layer.output));
  }

  void write_concat(const Int8Layer& layer) {
    const std::string symbol = symbol_;
    std::int64_t offset = 0;
    for (std::size_t i = 0; i < layer.inputs.size(); ++i) {
      const Shape& shape = network_.tensor(layer.inputs[i]).shape;
      symbol_ = fmt::format("{}_{}", symbol, i);
      if (layer.input_rescale.empty())
        write_copy(layer.inputs[i], layer, offset);
      else
        write_lookup(layer.inputs[i], layer,
                     table_of(layer, layer.inputs[i], layer.input_rescale[i]), shape.pixels(),
                     shape.channels, offset);
      offset += shape.channels;
    }
  }

  void write_copy(int input, const Int8Layer& layer, std::int64_t offset) {
    use("copy", {});
    const Shape& shape = network_.tensor(input).shape;
    Members members;
    members.set("rows", shape.pixels())
        .set("length", shape.channels)
        .set("step", out(layer).shape.channels);
    call("copy", "copy", members, place(input), place(layer.output, offset));
  }

  void write_softmax(const Int8Layer& layer) {
    use("softmax", {"rescale"});
    Members members;
    members.set("count", in(layer).shape.elements())
        .set("multiplier", layer.rescale[0].multiplier)
        .set("shift", layer.rescale[0].shift)
        .set("diff_min", layer.diff_min);
    call("softmax", members, layer.inputs[0], layer.output);
  }

  Members window_of(const Int8Layer& layer) const {
    const Shape& from = in(layer).shape;
    const Shape& to = out(layer).shape;
    Members members;
    members.set("in_height", from.height)
        .set("in_width", from.width)
        .set("in_channels", from.channels)
        .set("out_height", to.height)
        .set("out_width", to.width)
        .set("height", layer.window.height)
        .set("width", layer.window.width)
        .set("stride_y", layer.stride.height)
        .set("stride_x", layer.stride.width)
        .set("padding_y", layer.padding.height)
        .set("padding_x", layer.padding.width);
    return members;
  }

  static Members members_of(const Factor& factor) {
    Members members;
    members.set("twice", literal(factor.twice)).set("shift", factor.shift);
    return members;
  }

  /// Biases with the input's zero point in them, and factors. -1 in `order`: no channel.
  std::string channels(const Int8Layer& layer, const std::vector<int>& order) {
    std::string name = symbol_ + "_channels";
    parts_.constant_bytes += 12 * static_cast<std::int64_t>(order.size());
    if (!parts_.writes_values) return name;
    std::vector<std::string> items;
    for (const int channel : order) {
      const Factor factor = channel < 0 ? Factor{} : factor_of(layer.rescale[at(channel)]);
      const std::int32_t bias = channel < 0 ? 0 : folded_bias(network_, layer, channel);
      items.push_back(
          fmt::format("{{{}, {{{}, {}}}}}", literal(bias), literal(factor.twice), factor.shift));
    }
    parts_.constants += fmt::format("static const struct channel {}[{}] = {{\n{}}};\n", name,
                                    items.size(), filled(items));
    return name;
  }

  std::string weights(const Packed& packed) {
    if (parts_.writes_values) return array("weights", packed.weights);
    parts_.constant_bytes += packed.bytes;
    return symbol_ + "_weights";
  }

  std::string array(const std::string& what, std::span<const std::int8_t> values) {
    std::string name = symbol_ + "_" + what;
    parts_.constant_bytes += static_cast<std::int64_t>(values.size());
    if (!parts_.writes_values) return name;
    std::vector<std::string> items;
    for (const std::int8_t value : values) items.push_back(fmt::to_string(int{value}));
    parts_.constants += fmt::format("static const int8_t {}[{}] WORD_ALIGNED = {{\n{}}};\n", name,
                                    items.size(), filled(items));
    return name;
  }

  void describe(const std::string& type, const Members& members) {
    parts_.constant_bytes += members.bytes();
    parts_.constants +=
        fmt::format("static const struct {} {} = {};\n", type, symbol_, members.text());
  }

  void call(const std::string& kernel, const std::string& type, const Members& members,
            const std::string& from, const std::string& to, const std::string& more = {}) {
    describe(type, members);
    calls_ += fmt::format("  {}(&{}, {}, {}{});\n", kernel, symbol_, from, to, more);
  }
  void call(const std::string& kernel, const std::string& type, const Members& members, int input,
            int output) {
    call(kernel, type, members, place(input), place(output));
  }
  void call(const std::string& kernel, const Members& members, int input, int output) {
    call(kernel, kernel, members, place(input), place(output));
  }
  void call(const std::string& kernel, const Members& members, int input, int output,
            std::int64_t scratch) {
    // Where a layer needs no scratch, it touches none.
    call(kernel, kernel, members, place(input), place(output),
         fmt::format(", {} + {}", parts_.arena, std::max<std::int64_t>(scratch, 0)));
  }

  std::string place(int tensor, std::int64_t offset = 0) const {
    return fmt::format("{} + {}", parts_.arena, plan_.tensor_offsets[at(tensor)] + offset);
  }

  void use(const std::string& kernel, std::initializer_list<const char*> needs) {
    for (const char* const need : needs) use(need, {});
    if (std::ranges::find(parts_.kernels, kernel) == parts_.kernels.end())
      parts_.kernels.push_back(kernel);
  }

  const Int8Tensor& in(const Int8Layer& layer) const { return network_.tensor(layer.inputs[0]); }
  const Int8Tensor& out(const Int8Layer& layer) const { return network_.tensor(layer.output); }
  std::int64_t zero_out(const Int8Layer& layer) const {
    return 2 * std::int64_t{out(layer).quantisation.zero_point} + 1;
  }

  std::string declarations() const {
    return fmt::format(
        "\n/* Where to put the input: {1}. */\nint8_t *{0}_input(void);\n\n"
        "/* Runs the network; overwrites the input. */\nvoid {0}_run(void);\n\n"
        "/* The output: {2}. Valid until the next input is written. */\n"
        "const int8_t *{0}_output(void);\n",
        network_.name, described(network_.tensor(0)), described(network_.tensor(network_.output)));
  }

  static std::string described(const Int8Tensor& tensor) {
    const auto& [name, shape, quantisation] = tensor;
    return fmt::format("{} x {} x {} values (height, width, channels),\n * real = {} (value - {})",
                       shape.height, shape.width, shape.channels, quantisation.scale,
                       quantisation.zero_point);
  }

  std::string functions() const {
    return fmt::format(
        "\nint8_t *{0}_input(void) {{ return {1}; }}\n\nvoid {0}_run(void) {{\n{2}}}\n\n"
        "const int8_t *{0}_output(void) {{ return {3}; }}\n",
        network_.name, place(0), calls_, place(network_.output));
  }

  const Int8Network& network_;
  const MemoryPlan& plan_;
  Parts& parts_;
  std::string symbol_;         ///< of the layer's description; its arrays begin with it
  std::int64_t scratch_ = -1;  ///< of the layer
  std::string calls_;
};

}  // namespace

void write_network(const Int8Network& network, const MemoryPlan& plan, Parts& parts) {
  NetworkWriter{network, plan, parts}.run();
}

}  // namespace thimble
