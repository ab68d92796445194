// NAS-Bench-201 (Dong and Yang, ICLR 2020, arXiv 2001.00326), the topology space of NATS-Bench.
//
// A cell has four nodes; node j is the sum over i < j of op(i -> j)(node i). Each of the six edges
// takes one of five operators: 5^6 = 15,625 cells. The network: stem, `cells` cells at `channels`,
// then twice a residual block that halves the image and doubles the channels, with `cells` cells
// behind it; batch norm, ReLU, global average pool, classifier. Every convolution in a cell is
// ReLU - convolution - batch norm.

#include <algorithm>
#include <array>
#include <map>
#include <mutex>

#include <thimble/core/error.hpp>
#include <thimble/core/text.hpp>
#include <thimble/search_space.hpp>

namespace {

using thimble::Error;
using thimble::Genotype;
using thimble::Graph;
using thimble::NodeId;

constexpr int kNodes = 4;
constexpr int kEdges = 6;

const std::vector<std::string>& operators() {
  static const std::vector<std::string> kNames{"none", "skip_connect", "nor_conv_1x1",
                                               "nor_conv_3x3", "avg_pool_3x3"};
  return kNames;
}

/// Edges are ordered by target and then by source, as in the benchmark's text.
int edge(int source, int target) { return target * (target - 1) / 2 + source; }

class NasBench201 final : public thimble::SearchSpace {
 public:
  struct Params {
    int channels = 16;
    int cells = 5;
    int stages = 3;
    int classes = 10;
    int image = 32;
    int input_channels = 3;
    bool stem = true;

    template <class Describe>
    static void describe(Describe& param) {
      param(&Params::channels, "channels", "C: channels of the first stage").range(1, 1024);
      param(&Params::cells, "cells", "N: cells of a stage").range(1, 64);
      param(&Params::stages, "stages", "stages; each but the first halves the image and doubles C")
          .range(1, 6);
      param(&Params::classes, "classes", "classes: 10, 100, or 120 for ImageNet16")
          .range(1, 100000);
      param(&Params::image, "image", "height and width of the input: 32, or 16 for ImageNet16")
          .range(1, 1024);
      param(&Params::input_channels, "input_channels", "channels of the input").range(1, 1024);
      param(&Params::stem, "stem", "begin with a 3x3 convolution; without it the input is C wide");
    }
  };

  explicit NasBench201(const Params& params) : params_{params} {
    if (!params.stem && params.input_channels != params.channels)
      throw Error{"without a stem, 'input_channels' must equal 'channels'"};
    if (params.image >> (params.stages - 1) < 1)
      throw Error{"the image is too small to be halved that often", "reduce 'stages'"};
    build_supernet();
  }

  const Graph* supernet() const override { return &supernet_; }

  std::string encode(const Genotype& genotype) const override {
    std::string text;
    for (int target = 1; target < kNodes; ++target) {
      text += target > 1 ? "+|" : "|";
      for (int source = 0; source < target; ++source)
        text += op_name(genotype, edge(source, target)) + "~" + std::to_string(source) + "|";
    }
    return text;
  }

  Genotype decode(std::string_view text) const override {
    if (thimble::trimmed(text).starts_with('(')) return decode_tuple(text);
    Genotype genotype;
    const auto groups = thimble::split(thimble::trimmed(text), '+');
    if (groups.size() != kNodes - 1) throw unreadable(text, "it needs three groups joined by '+'");
    for (int target = 1; target < kNodes; ++target) {
      const auto words = thimble::split(groups[static_cast<std::size_t>(target - 1)], '|');
      const bool is_framed = words.size() == static_cast<std::size_t>(target) + 2 &&
                             words.front().empty() && words.back().empty();
      if (!is_framed)
        throw unreadable(text, "group " + std::to_string(target) + " needs " +
                                   std::to_string(target) + " operators between '|'");
      for (int source = 0; source < target; ++source)
        genotype.push_back(parse_op(text, words[static_cast<std::size_t>(source) + 1], source));
    }
    return genotype;
  }

  /// The first cell, counting in the order of genotypes, with the same unique text.
  Genotype canonical(const Genotype& genotype) const override {
    std::call_once(classes_made_, [this] {
      const auto all = decisions();
      for (std::uint64_t i = 0; i < *thimble::space_size(all); ++i) {
        Genotype cell = thimble::genotype_at(all, i);
        std::string text = unique_text(cell);
        classes_.emplace(std::move(text), std::move(cell));
      }
    });
    return classes_.at(unique_text(genotype));
  }

 private:
  static const std::string& op_name(const Genotype& genotype, int edge) {
    return operators()[static_cast<std::size_t>(genotype[static_cast<std::size_t>(edge)])];
  }

  static Error unreadable(std::string_view text, const std::string& why) {
    return Error{thimble::in_quotes(text) + " is no cell: " + why,
                 "cells read |op~0|+|op~0|op~1|+|op~0|op~1|op~2|, or as NASLib's tuples of six"};
  }

  /// NASLib's form: an operator's number for each edge, edges by source and then by target.
  static Genotype decode_tuple(std::string_view text) {
    std::string_view inside = thimble::trimmed(text).substr(1);
    if (!inside.ends_with(')')) throw unreadable(text, "its last letter must be ')'");
    inside.remove_suffix(1);
    const auto words = thimble::split(inside, ',');
    if (words.size() != kEdges)
      throw unreadable(text, "it has " + std::to_string(words.size()) + " numbers, not six");
    Genotype genotype(kEdges);
    auto word = words.begin();
    for (int source = 0; source < kNodes; ++source)
      for (int target = source + 1; target < kNodes; ++target)
        genotype[static_cast<std::size_t>(edge(source, target))] = parse_number_of_op(*word++);
    return genotype;
  }

  static double parse_number_of_op(std::string_view word) {
    constexpr std::array<double, 5> kPlaces{1, 0, 3, 2, 4};  // in operators()
    const auto number = thimble::parse_integer(thimble::trimmed(word));
    if (!number || *number < 0 || *number >= std::ssize(kPlaces))
      throw Error{thimble::in_quotes(thimble::trimmed(word)) + " is no operator's number in NASLib",
                  "0 is skip_connect, 1 none, 2 nor_conv_3x3, 3 nor_conv_1x1, 4 avg_pool_3x3"};
    return kPlaces[static_cast<std::size_t>(*number)];
  }

  static double parse_op(std::string_view text, const std::string& word, int source) {
    const std::string tail = "~" + std::to_string(source);
    if (!word.ends_with(tail))
      throw unreadable(text, thimble::in_quotes(word) + " must end in '" + tail + "'");
    const std::string name = word.substr(0, word.size() - tail.size());
    for (std::size_t i = 0; i < operators().size(); ++i)
      if (operators()[i] == name) return static_cast<double>(i);
    throw Error{
        "no operator " + thimble::in_quotes(name) + thimble::did_you_mean(name, operators()),
        "operators are " + thimble::join(operators())};
  }

  /// The benchmark's unique string with zeros propagated: terms of a sum are sorted, a skip is its
  /// source itself, and `none`, or anything applied to "#", is "#". 6,466 different ones. As
  /// published: a node of several zero terms reads "#+#" and is not seen to be zero itself.
  static std::string unique_text(const Genotype& genotype) {
    std::array<std::string, kNodes> nodes{"0"};
    for (int target = 1; target < kNodes; ++target) {
      std::vector<std::string> terms;
      for (int source = 0; source < target; ++source) {
        const std::string& from = nodes[static_cast<std::size_t>(source)];
        const std::string& op = op_name(genotype, edge(source, target));
        if (op == "none" || from == "#") {
          terms.emplace_back("#");
          continue;
        }
        terms.push_back(
            op == "skip_connect" ? from : std::string{"("}.append(from).append(")@").append(op));
      }
      std::sort(terms.begin(), terms.end());
      nodes[static_cast<std::size_t>(target)] = thimble::join(terms, "+");
    }
    return nodes[kNodes - 1];
  }

  void build_supernet() {
    NodeId x = supernet_.input({params_.input_channels, params_.image, params_.image});
    int channels = params_.channels;
    if (params_.stem) {
      const Graph::Scope scope{supernet_, "stem"};
      x = supernet_.batch_norm(
          supernet_.conv(x, {.out = channels, .kernel = {3, 3}, .padding = {1, 1}}));
    }
    for (int stage = 0; stage < params_.stages; ++stage) {
      const Graph::Scope scope{supernet_, "stage" + std::to_string(stage)};
      if (stage > 0) x = reduction(x, channels *= 2);
      for (int i = 0; i < params_.cells; ++i) x = cell(x, i);
    }
    x = supernet_.relu(supernet_.batch_norm(x));
    supernet_.set_output(supernet_.linear(supernet_.global_avg_pool(x), params_.classes));
  }

  NodeId cell(NodeId x, int index) {
    const Graph::Scope scope{supernet_, "cell" + std::to_string(index)};
    std::array<NodeId, kNodes> nodes{x};
    for (int target = 1; target < kNodes; ++target) {
      std::vector<NodeId> terms;
      for (int source = 0; source < target; ++source)
        terms.push_back(open_edge(nodes[static_cast<std::size_t>(source)], source, target));
      nodes[static_cast<std::size_t>(target)] = supernet_.add(terms);
    }
    return nodes[kNodes - 1];
  }

  NodeId open_edge(NodeId x, int source, int target) {
    const thimble::Shape shape = supernet_.node(x).shape;
    const std::string decision = "edge_" + std::to_string(source) + "_" + std::to_string(target);
    return supernet_.choice(
        decision,
        {{"none", [&] { return supernet_.zero(shape); }},
         {"skip_connect", [&] { return x; }},
         {"nor_conv_1x1", [&] { return relu_conv_bn(x, shape.channels, 1, 1); }},
         {"nor_conv_3x3", [&] { return relu_conv_bn(x, shape.channels, 3, 1); }},
         {"avg_pool_3x3", [&] {
            return supernet_.avg_pool(x, {.kernel = {3, 3}, .stride = {1, 1}, .padding = {1, 1}});
          }}});
  }

  NodeId relu_conv_bn(NodeId x, int out, int kernel, int stride) {
    const int padding = kernel / 2;
    return supernet_.batch_norm(supernet_.conv(supernet_.relu(x), {.out = out,
                                                                   .kernel = {kernel, kernel},
                                                                   .stride = {stride, stride},
                                                                   .padding = {padding, padding}}));
  }

  /// Two ReLU-conv3x3-BN, the first with stride 2, beside an average pool and a 1x1 convolution.
  NodeId reduction(NodeId x, int out) {
    const Graph::Scope scope{supernet_, "reduction"};
    const NodeId main = relu_conv_bn(relu_conv_bn(x, out, 3, 2), out, 3, 1);
    // The pool drops an odd last row; the convolution does not. The benchmark has no odd sizes.
    const int odd = supernet_.node(x).shape.height % 2;
    const NodeId pooled =
        supernet_.avg_pool(x, {.kernel = {2, 2}, .stride = {2, 2}, .padding = {odd, odd}});
    const NodeId shortcut = supernet_.conv(pooled, {.out = out});
    const std::array<NodeId, 2> terms{main, shortcut};
    return supernet_.add(terms);
  }

  Params params_;
  Graph supernet_;
  mutable std::once_flag classes_made_;
  mutable std::map<std::string, Genotype> classes_;
};

static_assert(kEdges == kNodes * (kNodes - 1) / 2);

}  // namespace

THIMBLE_PLUGIN("nasbench201", "1.0.0") {
  plugin.provides<NasBench201>("NAS-Bench-201's 15,625 cells, for CIFAR and ImageNet16 sizes")
      .profile("narrow", "{channels: 3, cells: 1}")
      .profile("tiny",
               "{channels: 1, cells: 1, stages: 1, input_channels: 1, image: 3, stem: false}");
}
