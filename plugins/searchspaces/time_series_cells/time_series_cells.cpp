// Cells for time series of T steps and S sensors (King et al., MicroNAS for Embedded Time Series
// Classification, arXiv 2310.18384, section 3): Time-Reduce cells halve the time, Sensor-Fusion
// cells mix sensors, and every convolution decides how wide it is.
//
//   Time-Reduce      one of the convolutions of 3, 5, 7 steps, stride 2; its width
//   Sensor-Fusion    a convolution over all sensors, its width; the sum of up to three convolutions
//                    of 3, 5, 7 steps and of a residual 1x1 convolution; its width. Every second
//                    and third cell of a group may be skipped, the first halves the sensors
//   head             mean over time and sensors, scores of the classes

#include <array>

#include <thimble/search_space.hpp>

namespace {

using thimble::Genotype;
using thimble::Graph;
using thimble::NodeId;

constexpr std::array kKernels{3, 5, 7};

/// Where batch norm stands.
enum class Norm {
  before_relu,  ///< folded into the convolution before it
  paper,        ///< behind the ReLU, as the authors train; an operator of its own in the program
};

const std::vector<std::pair<std::string, Norm>>& names_of(Norm) {
  static const std::vector<std::pair<std::string, Norm>> kNames{{"before_relu", Norm::before_relu},
                                                                {"paper", Norm::paper}};
  return kNames;
}

/// How often a length can be halved before it falls below the least, once at least.
int halvings(int length, int least) {
  int count = 0;
  while (length > 1 && (length + 1) / 2 >= least) {
    length = (length + 1) / 2;
    ++count;
  }
  return std::max(count, 1);
}

std::vector<int> multiples(int of, int count) {
  std::vector<int> made;
  for (int i = 1; i <= count; ++i) made.push_back(i * of);
  return made;
}

class TimeSeriesCells final : public thimble::SearchSpace {
 public:
  struct Params {
    int steps = 128;
    int sensors = 9;
    int classes = 6;
    int least_steps = 16;
    int least_sensors = 5;
    int fusions = 2;
    int reduce_width = 4;
    int reduce_widths = 4;
    int fusion_width = 8;
    int fusion_widths = 8;
    Norm norm = Norm::before_relu;
    bool head_relu = false;

    template <class Describe>
    static void describe(Describe& param) {
      param(&Params::steps, "steps", "T: points in time of a window").range(2, 65536);
      param(&Params::sensors, "sensors", "S: signals of a window").range(1, 4096);
      param(&Params::classes, "classes", "classes of the data").range(1, 100000);
      param(&Params::least_steps, "least_steps",
            "Time-Reduce cells are as many as halve the steps while these are left")
          .range(1, 65536);
      param(&Params::least_sensors, "least_sensors",
            "groups of Sensor-Fusion cells are as many as halve the sensors while these are left")
          .range(1, 4096);
      param(&Params::fusions, "fusions", "cells of a group that halve nothing and may be skipped")
          .range(0, 16);
      param(&Params::reduce_width, "reduce_width", "fewest channels of a Time-Reduce cell")
          .range(1, 1024);
      param(&Params::reduce_widths, "reduce_widths", "how many multiples of it there are")
          .range(1, 64);
      param(&Params::fusion_width, "fusion_width", "fewest channels in a Sensor-Fusion cell")
          .range(1, 1024);
      param(&Params::fusion_widths, "fusion_widths", "how many multiples of it there are")
          .range(1, 64);
      param(&Params::norm, "norm", "batch norm before the ReLU, or behind it as in the paper");
      param(&Params::head_relu, "head_relu",
            "as the authors' code: scores at every place, a ReLU, and their mean");
    }
  };

  explicit TimeSeriesCells(const Params& params) : params_{params} {
    NodeId x = graph_.input({1, params.steps, params.sensors});
    for (int i = 0; i < halvings(params.steps, params.least_steps); ++i) x = time_reduce(x, i);
    int cell = 0;
    for (int i = 0; i < halvings(params.sensors, params.least_sensors); ++i) {
      x = sensor_fusion(x, "fuse" + std::to_string(cell++), 2);
      for (int k = 0; k < params.fusions; ++k) x = skippable(x, "fuse" + std::to_string(cell++));
    }
    graph_.set_output(head(x));
  }

  const Graph* supernet() const override { return &graph_; }

  /// What a skipped cell decides counts for nothing.
  Genotype canonical(const Genotype& genotype) const override {
    Genotype made = genotype;
    const auto& decisions = graph_.decisions();
    for (std::size_t i = 0; i < made.size(); ++i)
      for (std::size_t k = 0; k < made.size(); ++k)
        if (is_skip(made, k) && decisions[i].name.starts_with(decisions[k].name + "_")) made[i] = 0;
    return made;
  }

 private:
  bool is_skip(const Genotype& genotype, std::size_t decision) const {
    return graph_.decisions()[decision].options[static_cast<std::size_t>(genotype[decision])] ==
           "skip";
  }

  NodeId conv(NodeId x, int out, thimble::Extent kernel, int stride_in_time,
              int stride_in_sensors) {
    return graph_.conv(x, {.out = out,
                           .kernel = kernel,
                           .stride = {stride_in_time, stride_in_sensors},
                           .padding = {kernel.height / 2, kernel.width / 2}});
  }

  /// ReLU and width, with batch norm of each term or of their rectified sum.
  NodeId activated(NodeId x, const std::string& width, int fewest, int count) {
    if (params_.norm == Norm::paper) {
      x = graph_.batch_norm(graph_.relu(x));
    } else {
      x = graph_.relu(x);
    }
    return graph_.channels(x, width, multiples(fewest, count));
  }
  NodeId normed(NodeId x) { return params_.norm == Norm::paper ? x : graph_.batch_norm(x); }

  NodeId time_reduce(NodeId x, int index) {
    const std::string name = "reduce" + std::to_string(index);
    const Graph::Scope scope{graph_, name};
    std::vector<Graph::Option> options;
    for (const int kernel : kKernels)
      options.emplace_back(std::to_string(kernel), [this, x, kernel] {
        return conv(x, params_.reduce_width * params_.reduce_widths, {kernel, 1}, 2, 1);
      });
    return activated(normed(graph_.choice(name + "_kernel", options)), name + "_width",
                     params_.reduce_width, params_.reduce_widths);
  }

  NodeId sensor_fusion(NodeId x, const std::string& name, int stride) {
    const Graph::Scope scope{graph_, name};
    const int fewest = params_.fusion_width, count = params_.fusion_widths;
    const int width = fewest * count;
    const int sensors = graph_.node(x).shape.width;
    const int all_of_them = sensors % 2 == 0 ? sensors + 1 : sensors;
    const NodeId mixed = activated(normed(conv(x, width, {1, all_of_them}, 1, stride)),
                                   name + "_bottleneck", fewest, count);
    std::vector<NodeId> terms;
    for (const int kernel : kKernels)
      terms.push_back(gate(name + "_conv" + std::to_string(kernel), mixed, [&] {
        return conv(mixed, width, {kernel, 1}, 1, 1);
      }));
    terms.push_back(gate(name + "_residual", mixed, [&] {
      return conv(x, width, {1, 1}, 1, stride);
    }));
    return activated(graph_.add(terms), name + "_width", fewest, count);
  }

  /// A term of a sum, or nothing; of the shape of `like`.
  template <class Build>
  NodeId gate(const std::string& decision, NodeId like, const Build& build) {
    const thimble::Shape shape = graph_.node(like).shape;
    return graph_.choice(decision, {{"off", [&] { return graph_.zero(shape); }},
                                    {"on", [&] { return normed(build()); }}});
  }

  NodeId skippable(NodeId x, const std::string& name) {
    return graph_.choice(
        name, {{"cell", [&] { return sensor_fusion(x, name, 1); }}, {"skip", [&] { return x; }}});
  }

  NodeId head(NodeId x) {
    if (!params_.head_relu) return graph_.linear(graph_.global_avg_pool(x), params_.classes);
    return graph_.global_avg_pool(
        graph_.relu(graph_.conv(x, {.out = params_.classes, .bias = true})));
  }

  Params params_;
  Graph graph_;
};

}  // namespace

THIMBLE_PLUGIN("time_series_cells", "1.0.0") {
  plugin.provides<TimeSeriesCells>(
      "Time-Reduce and Sensor-Fusion cells for sensor data (MicroNAS)");
}
