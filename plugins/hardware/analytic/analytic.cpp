// Latency of int8 kernels as a linear function of what they do. Per operator, with P output pixels
// and dot products of length K = kh x kw x Cin,
//
//     cycles = per_call + per_mac P K Cout + per_leftover P Cout (K mod block)
//            + per_unfolded P K + per_tap P kh kw + per_output P Cout + per_input (input elements)
//
// The terms are the parts of a CMSIS-NN convolution: multiply-accumulate, the slow tail of a dot
// product, unfolding the input to int16 (im2col), one copy call per window position, and
// requantising. Coefficients are data: one file a board, each with its origin and error. They
// come from on-board records of T. King et al., MicroNAS (arXiv:2310.18384), from NATS-Bench-MCU
// (S. Zimmermann et al., AutoML 2026) and from counted instructions; README.md tells how.
// Scratch buffers: ARM-software/CMSIS-NN, the *_get_buffer_size functions for cores with DSP.
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include <thimble/core/text.hpp>
#include <thimble/core/yaml.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/hardware.hpp>
#include <thimble/hardware/board.hpp>

namespace {

using thimble::Extent;
using thimble::Graph;
using thimble::kBytes;
using thimble::kCycles;
using thimble::Node;
using thimble::Op;
using thimble::OpCost;
using thimble::Origin;
using thimble::Shape;

// What one operator does.
struct Work {
  std::int64_t calls = 1;
  std::int64_t macs = 0;
  std::int64_t dot_products = 0;
  std::int64_t dot_length = 0;
  std::int64_t unfolded = 0;
  std::int64_t taps = 0;
  std::int64_t outputs = 0;
  std::int64_t inputs = 0;
  std::int64_t weights = 0;
  std::int64_t scratch_bytes = 0;
};

// Cycles of one class of operators.
struct Coefficients {
  double per_call = 0;
  double per_mac = 0;
  double per_leftover = 0;
  std::int64_t block = 1;
  double per_unfolded = 0;
  double per_tap = 0;
  double per_output = 0;
  double per_input = 0;
  double relative_error = 0;
  Origin origin = Origin::guessed;
  std::optional<std::int64_t> most_outputs;
  bool along_one_axis = false;
  std::string source;

  template <class Describe>
  static void describe(Describe& param);

  // Whether such an operator is like those that were measured.
  bool knows(const Work& work, const Node& node) const {
    const bool is_square = node.kernel.height > 1 && node.kernel.width > 1;
    return work.outputs <= most_outputs.value_or(work.outputs) && !(is_square && along_one_axis);
  }
};

// A coefficient, and what of the work it is multiplied with.
struct Term {
  double Coefficients::*cycles;
  std::int64_t Work::*amount;
  const char* name;
  const char* what;
};

constexpr Term kTerms[] = {
    {&Coefficients::per_call, &Work::calls, "per_call", "cycles once per call"},
    {&Coefficients::per_mac, &Work::macs, "per_mac",
     "cycles per multiply-accumulate, padding included"},
    {&Coefficients::per_unfolded, &Work::unfolded, "per_unfolded",
     "cycles per element of the unfolded input: output pixels x window x input channels"},
    {&Coefficients::per_tap, &Work::taps, "per_tap",
     "cycles per output pixel and window position, or tensor that is concatenated"},
    {&Coefficients::per_output, &Work::outputs, "per_output", "cycles per output element"},
    {&Coefficients::per_input, &Work::inputs, "per_input", "cycles per input element"},
};

template <class Describe>
void Coefficients::describe(Describe& param) {
  for (const Term& term : kTerms) param(term.cycles, term.name, term.what).range(0, kCycles.most);
  param(&Coefficients::per_leftover, "per_leftover",
        "further cycles per multiply-accumulate behind the last whole block of a dot product")
      .range(0, kCycles.most);
  param(&Coefficients::block, "block", "length of such a block").at_least(1);
  param(&Coefficients::relative_error, "relative_error", "expected error on shapes not seen yet")
      .range(0, 10)
      .required();
  param(&Coefficients::origin, "origin", "how the coefficients were found").required();
  param(&Coefficients::most_outputs, "most_outputs",
        "elements of the largest output that was measured; larger ones are guesses")
      .at_least(1);
  param(&Coefficients::along_one_axis, "along_one_axis",
        "only windows of one row or one column were measured; others are guesses");
  param(&Coefficients::source, "source", "where they come from").required();
}

struct Operators {
  std::optional<Coefficients> conv;
  std::optional<Coefficients> conv_1x1;
  std::optional<Coefficients> depthwise;
  std::optional<Coefficients> linear;
  std::optional<Coefficients> avg_pool;
  std::optional<Coefficients> global_avg_pool;
  std::optional<Coefficients> relu;
  std::optional<Coefficients> add;
  std::optional<Coefficients> batch_norm;
  std::optional<Coefficients> max_pool;
  std::optional<Coefficients> concat;
  std::optional<Coefficients> softmax;

  template <class Describe>
  static void describe(Describe& param) {
    param(&Operators::conv, "conv", "convolutions that none of the next two is");
    param(&Operators::conv_1x1, "conv_1x1", "1x1 convolutions of stride 1, ungrouped");
    param(&Operators::depthwise, "depthwise", "convolutions with a group per input channel");
    param(&Operators::linear, "linear", "fully connected layers");
    param(&Operators::avg_pool, "avg_pool", "average pools");
    param(&Operators::global_avg_pool, "global_avg_pool", "means over height and width");
    param(&Operators::relu, "relu", "ReLUs that are not fused into another operator");
    param(&Operators::add, "add", "sums, per pair of terms");
    param(&Operators::batch_norm, "batch_norm", "batch norms that are not folded");
    param(&Operators::max_pool, "max_pool", "maximum pools");
    param(&Operators::concat, "concat", "channels of several tensors put together");
    param(&Operators::softmax, "softmax", "softmax over all elements");
  }
};

struct Latency {
  double relative_error = 0;
  std::string board;
  Origin origin = Origin::guessed;
  std::string source;

  template <class Describe>
  static void describe(Describe& param) {
    param(&Latency::relative_error, "relative_error",
          "error that all operators share (flags, memory placement): none of them is known better")
        .range(0, 10)
        .required();
    param(&Latency::board, "board",
          "id of the board whose operators were measured; of others it is a guess");
    param(&Latency::origin, "origin", "of latencies of whole networks").required();
    param(&Latency::source, "source", "where this comes from").required();
  }
};

struct Memory {
  std::int64_t fixed_ram_bytes = 0;
  std::int64_t fixed_rom_bytes = 0;
  std::int64_t ram_bytes_per_operator = 0;
  std::int64_t ram_bytes_per_channel = 0;
  std::int64_t rom_bytes_per_operator = 0;
  std::int64_t rom_bytes_per_channel = 0;
  double ram_relative_error = 0;
  double rom_relative_error = 0;
  double fixed_relative_error = 0;
  Origin origin = Origin::guessed;
  std::string source;

  template <class Describe>
  static void describe(Describe& param) {
    param(&Memory::fixed_ram_bytes, "fixed_ram_bytes", "stack and runtime")
        .range(kBytes.least, kBytes.most)
        .required();
    param(&Memory::fixed_rom_bytes, "fixed_rom_bytes", "kernels and runtime")
        .range(kBytes.least, kBytes.most)
        .required();
    param(&Memory::ram_bytes_per_operator, "ram_bytes_per_operator",
          "what the runtime keeps for an operator all the time")
        .range(kBytes.least, kBytes.most)
        .required();
    param(&Memory::ram_bytes_per_channel, "ram_bytes_per_channel",
          "the same per output channel of an operator with weights")
        .range(kBytes.least, kBytes.most)
        .required();
    param(&Memory::rom_bytes_per_operator, "rom_bytes_per_operator", "description of an operator")
        .range(kBytes.least, kBytes.most)
        .required();
    param(&Memory::rom_bytes_per_channel, "rom_bytes_per_channel",
          "per output channel of an operator with weights: bias and rescaling")
        .range(kBytes.least, kBytes.most)
        .required();
    param(&Memory::ram_relative_error, "ram_relative_error",
          "of what is not fixed: the runtime may order operators and place tensors in its own way")
        .range(0, 10)
        .required();
    param(&Memory::rom_relative_error, "rom_relative_error", "likewise").range(0, 10).required();
    param(&Memory::fixed_relative_error, "fixed_relative_error", "of the fixed parts")
        .range(0, 10)
        .required();
    param(&Memory::origin, "origin", "how these were found").required();
    param(&Memory::source, "source", "where this comes from").required();
  }
};

// What a board file says for this plugin, under plugins: analytic:.
struct Model {
  std::string engine;
  Latency latency;
  double inference_cycles = 0;
  double dispatch_cycles = 0;
  Operators operators;
  Memory memory;

  template <class Describe>
  static void describe(Describe& param) {
    param(&Model::engine, "engine", "kernels and runtime that the figures hold for").required();
    param(&Model::latency, "latency", "how good latencies are").required();
    param(&Model::inference_cycles, "inference_cycles", "cycles once per inference")
        .range(0, kCycles.most)
        .required();
    param(&Model::dispatch_cycles, "dispatch_cycles", "cycles between two operators")
        .range(0, kCycles.most)
        .required();
    param(&Model::operators, "operators", "coefficients; an operator without is unsupported")
        .required();
    param(&Model::memory, "memory", "what a program needs beside tensors and weights").required();
  }
};

Model model_of(const thimble::Board& board) {
  const auto section = board.plugins.find("analytic");
  if (section == board.plugins.end())
    throw thimble::InputError{
        board.name + " has no coefficients: its board file has no 'plugins: analytic:'",
        "take another board, or another hardware plugin"};
  thimble::Diagnostics problems;
  auto model = thimble::read_params<Model>(section->second, "'analytic'", problems);
  problems.throw_if_any();
  Latency& latency = model.latency;
  if (latency.board == board.id && latency.origin != Origin::guessed) return model;
  latency.origin = Origin::guessed;
  latency.relative_error = std::max(latency.relative_error, thimble::kGuessError);
  Memory& memory = model.memory;
  memory.origin = Origin::guessed;
  memory.fixed_relative_error = std::max(memory.fixed_relative_error, thimble::kGuessError);
  return model;
}

// Why a latency that is a guess is one.
std::string doubt_about(const Latency& latency, const std::string& board) {
  if (latency.origin != Origin::guessed) return "operators that were not measured are in it";
  if (latency.board.empty() || latency.board == board)
    return "no operator was measured on this board";
  return "operators were measured on another board, " + latency.board;
}

double cycles(const Coefficients& cost, const Work& work) {
  const std::int64_t leftover = work.dot_products * (work.dot_length % cost.block);
  double sum = cost.per_leftover * static_cast<double>(leftover);
  for (const Term& term : kTerms) sum += cost.*term.cycles * static_cast<double>(work.*term.amount);
  return sum;
}

// A kernel adds two tensors; more are added one after the other.
std::int64_t kernel_calls(const Node& node) {
  if (node.op == Op::input || node.op == Op::zero) return 0;
  if (node.op == Op::add) return std::max<std::int64_t>(1, std::int64_t{node.input_count} - 1);
  return 1;
}

// Output channels that have a bias and a rescaling of their own.
std::int64_t channels_with_constants(const Node& node) {
  const bool has_constants =
      node.op == Op::conv || node.op == Op::linear || node.op == Op::batch_norm;
  return has_constants ? node.shape.channels : 0;
}

std::int64_t round_up_to_4(std::int64_t value) { return (value + 3) / 4 * 4; }

class Analytic final : public thimble::Hardware {
 public:
  struct Params {
    std::string board = "nucleo_f446re";

    template <class Describe>
    static void describe(Describe& param) {
      param(&Params::board, "board", "name of a board, or path to a board file ending in .yaml");
    }
  };

  Analytic(const Params& params, const thimble::Context& context)
      : board_{thimble::read_board(thimble::board_file(params.board, context.share_folder))},
        model_{model_of(board_)},
        target_{board_.target()} {
    target_.inference_latency_ms = model_.inference_cycles * board_.ms_per_cycle();
    target_.fixed_ram_bytes = model_.memory.fixed_ram_bytes;
    target_.fixed_rom_bytes = model_.memory.fixed_rom_bytes;
    target_.latency_origin = model_.latency.origin;
    target_.runtime = model_.engine;
    target_.remark = doubt_about(model_.latency, board_.id);
  }

  const thimble::Target& target() const override { return target_; }

  std::uint64_t fingerprint() const override {
    return thimble::fingerprint(to_yaml(write_params(board_)));
  }

  thimble::Cost cost(const Graph& network) const override {
    thimble::Cost cost = Hardware::cost(network);
    const Memory& memory = model_.memory;
    std::int64_t bytes = 0;
    const Graph graph = thimble::deployed(network);  // named: its nodes are only lent out
    for (const Node& node : graph.nodes()) {
      bytes += memory.ram_bytes_per_operator * kernel_calls(node);
      bytes += memory.ram_bytes_per_channel * channels_with_constants(node);
    }
    cost.ram_bytes.value += static_cast<double>(bytes);
    take_error(cost.ram_bytes, memory.fixed_ram_bytes, memory.ram_relative_error);
    take_error(cost.rom_bytes, memory.fixed_rom_bytes, memory.rom_relative_error);
    return cost;
  }

  OpCost op_cost(const Graph& deployed, const Node& node) const override {
    const Operators& operators = model_.operators;
    switch (node.op) {
      case Op::input:
      case Op::zero: return {};
      case Op::conv: return conv(node, deployed.input_shape(node));
      case Op::linear: return linear(node, deployed.input_shape(node));
      case Op::avg_pool:
      case Op::max_pool: {
        const std::int64_t taps = node.shape.pixels() * node.kernel.height * node.kernel.width;
        Work work = element_wise(node.shape);
        work.taps = taps;
        work.macs = taps * node.shape.channels;
        work.inputs = deployed.input_shape(node).elements();
        if (node.op == Op::avg_pool) work.scratch_bytes = std::int64_t{4} * node.shape.channels;
        return priced(node.op == Op::avg_pool ? operators.avg_pool : operators.max_pool, work,
                      node);
      }
      case Op::global_avg_pool: {
        Work work = element_wise(node.shape);
        work.inputs = deployed.input_shape(node).elements();
        return priced(operators.global_avg_pool, work, node);
      }
      case Op::relu: return priced(operators.relu, element_wise(node.shape), node);
      case Op::batch_norm: return priced(operators.batch_norm, element_wise(node.shape), node);
      case Op::concat: {
        Work work = element_wise(node.shape);
        work.taps = node.shape.pixels() * node.input_count;  // copies
        return priced(operators.concat, work, node);
      }
      case Op::softmax: return priced(operators.softmax, element_wise(node.shape), node);
      case Op::add: {
        Work work = element_wise(node.shape);
        work.outputs *= kernel_calls(node);
        work.calls = kernel_calls(node);
        return priced(operators.add, work, node);
      }
      case Op::mask:
      case Op::choice: break;
    }
    return unsupported("an open choice cannot run");
  }

 private:
  /// Of what is fixed and of the rest; both may be wrong the same way.
  void take_error(thimble::Figure& bytes, std::int64_t fixed, double of_rest) const {
    const double share = static_cast<double>(fixed) / bytes.value;
    bytes.relative_error = share * model_.memory.fixed_relative_error + (1 - share) * of_rest;
    bytes.origin = model_.memory.origin;
  }

  static Work element_wise(const Shape& shape) {
    Work work;
    work.outputs = shape.elements();
    work.inputs = shape.elements();
    return work;
  }

  OpCost conv(const Node& node, const Shape& input) const {
    const bool is_depthwise = node.groups > 1 && node.groups == input.channels;
    const bool is_1x1 = node.groups == 1 && node.kernel == Extent{1, 1} &&
                        node.stride == Extent{1, 1} && node.padding == Extent{0, 0};
    const std::int64_t window = std::int64_t{node.kernel.height} * node.kernel.width;
    Work work = element_wise(node.shape);
    work.dot_length = window * (input.channels / node.groups);
    work.dot_products = work.outputs;
    work.macs = work.outputs * work.dot_length;
    work.inputs = input.elements();
    work.weights = node.shape.channels * work.dot_length;
    work.unfolded = node.shape.pixels() * window * input.channels;
    work.taps = node.shape.pixels() * window;
    if (is_1x1) return priced(model_.operators.conv_1x1, work, node);
    if (is_depthwise) {
      const bool has_own_kernel =
          node.kernel == Extent{3, 3} && node.padding.height <= 1 && node.padding.width <= 1;
      work.scratch_bytes = has_own_kernel ? 0 : 2 * window * input.channels;
      return priced(model_.operators.depthwise, work, node);
    }
    // Groups run one after the other.
    work.calls = node.groups;
    work.taps *= node.groups;
    work.scratch_bytes = std::int64_t{4} * round_up_to_4(work.dot_length);  // two columns of int16
    return priced(model_.operators.conv, work, node);
  }

  OpCost linear(const Node& node, const Shape& input) const {
    Work work = element_wise(node.shape);
    work.dot_length = input.elements();
    work.dot_products = work.outputs;
    work.macs = work.outputs * work.dot_length;
    work.inputs = input.elements();
    work.weights = work.macs;
    return priced(model_.operators.linear, work, node);
  }

  OpCost priced(const std::optional<Coefficients>& cost, const Work& work, const Node& node) const {
    if (!cost)
      return unsupported(board_.name + " has no coefficients for " + thimble::name_of(node.op));
    const std::int64_t calls = kernel_calls(node);
    const Memory& memory = model_.memory;
    OpCost result;
    result.latency_ms = board_.ms_per_cycle() *
                        (cycles(*cost, work) + model_.dispatch_cycles * static_cast<double>(calls));
    result.relative_error = std::max(cost->relative_error, model_.latency.relative_error);
    result.origin = cost->origin;
    if (!cost->knows(work, node)) {
      result.relative_error = std::max(result.relative_error, thimble::kGuessError);
      result.origin = Origin::guessed;
    }
    result.rom_bytes = work.weights + calls * memory.rom_bytes_per_operator +
                       channels_with_constants(node) * memory.rom_bytes_per_channel;
    result.scratch_bytes = work.scratch_bytes;
    return result;
  }

  static OpCost unsupported(std::string why) {
    OpCost result;
    result.unsupported = std::move(why);
    return result;
  }

  thimble::Board board_;
  Model model_;
  thimble::Target target_;
};

}  // namespace

THIMBLE_PLUGIN("analytic", "1.0.0") {
  plugin.provides<Analytic>("latency, memory and energy of int8 networks on a board, by formula");
}
