// The search space of PrototypeNAS (Deutel, Geis and Plinge, 2026, arXiv 2603.15106): families of
// networks, each a stem, four groups of superblocks and a classifier, whose structure, width and
// pruning are decided together. README.md says what is the paper's and what is ours.
//
// Sparsity acts on the built graph: what a group of superblocks puts out is pruned by its share,
// physically, so that every cost is that of the pruned network.

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <thimble/core/error.hpp>
#include <thimble/core/text.hpp>
#include <thimble/graph/pruning.hpp>
#include <thimble/search_space.hpp>

#include "baseline.hpp"

namespace superblocks {

using thimble::Decision;
using thimble::Error;
using thimble::Genotype;

/// An index into all_baselines(). Found by name lookup when parameters are described.
enum class Family : std::uint8_t {};

const Baseline& baseline_of(Family family) {
  return *all_baselines()[static_cast<std::size_t>(family)];
}

const std::vector<std::pair<std::string, Family>>& names_of(Family) {
  static const auto kNames = [] {
    std::vector<std::pair<std::string, Family>> made;
    for (std::size_t i = 0; i < all_baselines().size(); ++i)
      made.emplace_back(all_baselines()[i]->name, static_cast<Family>(i));
    return made;
  }();
  return kNames;
}

namespace {

/// What stands behind the groups.
enum class Head { classification, detection, points };

const std::vector<std::pair<std::string, Head>>& names_of(Head) {
  static const std::vector<std::pair<std::string, Head>> kNames{
      {"classification", Head::classification},
      {"detection", Head::detection},
      {"points", Head::points}};
  return kNames;
}

/// How a network begins.
enum class Stem { published, small };

const std::vector<std::pair<std::string, Stem>>& names_of(Stem) {
  static const std::vector<std::pair<std::string, Stem>> kNames{{"published", Stem::published},
                                                                {"small", Stem::small}};
  return kNames;
}

constexpr int kDeepest = 5;
constexpr std::array kKernels{3, 5, 7};
constexpr std::array kStrides{1, 2};
constexpr double kNarrowest = 0.25;
constexpr double kSparsest = 0.9;
constexpr int kResolution = 100;  // of width and sparsities, so that a person can read them

// Where decisions stand in a genotype: baseline, width, then three of each group.
constexpr std::size_t kBaselinePlace = 0;
constexpr std::size_t kWidthPlace = 1;
constexpr std::size_t depth_place(std::size_t group) { return 2 + 3 * group; }
constexpr std::size_t conv_place(std::size_t group) { return 3 + 3 * group; }
constexpr std::size_t sparsity_place(std::size_t group) { return 4 + 3 * group; }

std::vector<Family> families_for(Data data) {
  std::vector<Family> made;
  for (const auto& [name, family] : names_of(Family{}))
    if (baseline_of(family).data == data) made.push_back(family);
  return made;
}

/// What a genotype says of its groups, in the baseline's own terms.
std::array<Group, kGroups> decided_groups(const Baseline& baseline, const Genotype& genotype) {
  auto groups = baseline.groups;
  for (std::size_t i = 0; i < kGroups; ++i) {
    const auto conv = static_cast<std::size_t>(genotype[conv_place(i)]);
    groups[i].depth = 1 + static_cast<int>(genotype[depth_place(i)]);
    groups[i].kernel = kKernels[conv / kStrides.size()];
    groups[i].stride = kStrides[conv % kStrides.size()];
  }
  return groups;
}

/// The other way round.
void decide(const Group& group, std::size_t index, Genotype& genotype) {
  const auto kernel = std::ranges::find(kKernels, group.kernel) - kKernels.begin();
  const auto stride = std::ranges::find(kStrides, group.stride) - kStrides.begin();
  genotype[depth_place(index)] = group.depth - 1;
  genotype[conv_place(index)] = static_cast<double>(kernel * std::ssize(kStrides) + stride);
}

/// A network before its pruning.
struct Dense {
  Graph graph;
  std::array<NodeId, kGroups + 1> bounds{};  ///< first node of each group, and of the head
  std::set<int> widths;                      ///< all that the multiplier was applied to
};

/// Of each channel group, the superblock group that writes it last: that one's sparsity it has.
/// kGroups when it is the stem's or the head's.
std::vector<std::size_t> owners(const Dense& dense, const thimble::Coupling& coupling) {
  std::vector<std::size_t> made;
  for (const thimble::ChannelGroup& channels : coupling.groups) {
    const auto next = std::ranges::upper_bound(dense.bounds, channels.producers.back());
    const bool is_stem = next == dense.bounds.begin();
    made.push_back(is_stem ? kGroups : static_cast<std::size_t>(next - dense.bounds.begin()) - 1);
  }
  return made;
}

/// The least value of a decision that does what the given one does.
template <class IsAlike>
double least_alike(const Decision& decision, double given, const IsAlike& is_alike) {
  for (std::uint64_t index = 0; index < decision.values(); ++index)
    if (const double value = decision.value_at(index); value >= given || is_alike(value))
      return value;
  return given;
}

class Superblocks final : public thimble::SearchSpace {
 public:
  struct Params {
    std::vector<Family> families = families_for(Data::images);
    int channels = 3;
    int height = 96;
    int width = 96;
    int classes = 10;
    Head head = Head::classification;
    int anchors = 3;
    Stem stem = Stem::published;
    double sparsest = kSparsest;

    template <class Describe>
    static void describe(Describe& param) {
      param(&Params::families, "families", "baselines to choose from: of images or of time series");
      param(&Params::channels, "channels", "channels of the input; 1 for a time series")
          .range(1, 1024);
      param(&Params::height, "height", "rows of an image; points in time of a time series")
          .range(1, 4096);
      param(&Params::width, "width", "columns of an image; sensors of a time series")
          .range(1, 4096);
      param(&Params::classes, "classes", "classes of the data").range(1, 100000);
      param(&Params::head, "head",
            "what stands behind the groups: the baseline's classifier, or a map of boxes or of "
            "points");
      param(&Params::anchors, "anchors", "detection: boxes that each cell of the map tells of")
          .range(1, 16);
      param(&Params::stem, "stem",
            "as published, or small: for inputs of few points, which it does not make smaller");
      param(&Params::sparsest, "sparsest", "largest share of its channels that a group may lose")
          .range(0, kSparsest);
    }
  };

  explicit Superblocks(Params params) : params_{std::move(params)} {
    if (params_.families.empty()) throw Error{"'families' names no baseline"};
    if (params_.head == Head::classification && params_.classes < 2)
      throw Error{"'classes' is 1: there is nothing to tell apart",
                  "one class is enough for head: detection or points"};
    if (params_.head != Head::classification &&
        baseline_of(params_.families.front()).data == Data::series)
      throw Error{"'families' are for time series, which have no boxes",
                  "take families for images, or head: classification"};
    for (const Family family : params_.families) {
      const Baseline& baseline = baseline_of(family);
      const Baseline& first = baseline_of(params_.families.front());
      if (std::ranges::count(params_.families, family) > 1)
        throw Error{thimble::in_quotes(baseline.name) + " stands twice in 'families'"};
      if (baseline.data != first.data)
        throw Error{"'families' mixes networks for images and for time series: " +
                    thimble::in_quotes(first.name) + " and " + thimble::in_quotes(baseline.name)};
    }
    make_decisions();
  }

  std::vector<Decision> decisions() const override { return decisions_; }

  std::optional<thimble::Unpruned> unpruned(const Genotype& genotype) const override {
    Dense dense = build_dense(genotype);
    std::vector<double> sparsity;
    for (const std::size_t owner : owners(dense, thimble::coupled_channels(dense.graph)))
      sparsity.push_back(owner < kGroups ? genotype[sparsity_place(owner)] : 0.0);
    return thimble::Unpruned{std::move(dense.graph), std::move(sparsity)};
  }

  /// Reads the name of a baseline, too: the network as published.
  Genotype decode(std::string_view text) const override {
    const std::string word{thimble::trimmed(text)};
    if (!thimble::is_identifier(word)) return SearchSpace::decode(text);
    const auto& known = decisions_[kBaselinePlace].options;
    const auto found = std::ranges::find(known, word);
    if (found == known.end())
      throw Error{"no baseline " + thimble::in_quotes(word) + thimble::did_you_mean(word, known),
                  "baselines are " + thimble::join(known)};
    return published(static_cast<std::size_t>(found - known.begin()));
  }

  /// Widths and sparsities are finer than channels: the least numbers that give the same network
  /// stand for all that do.
  Genotype canonical(const Genotype& genotype) const override {
    const Dense dense = build_dense(genotype);
    const thimble::Coupling coupling = thimble::coupled_channels(dense.graph);
    const auto owner = owners(dense, coupling);
    Genotype made = genotype;
    const auto replace = [&](std::size_t place, const auto& is_alike) {
      made[place] = least_alike(decisions_[place], genotype[place], is_alike);
    };
    replace(kWidthPlace, [&](double multiplier) {
      return std::ranges::all_of(dense.widths, [&](int width) {
        return multiplied(width, multiplier) == multiplied(width, genotype[kWidthPlace]);
      });
    });
    for (std::size_t group = 0; group < kGroups; ++group)
      replace(sparsity_place(group), [&](double sparsity) {
        for (std::size_t i = 0; i < owner.size(); ++i) {
          const int channels = coupling.groups[i].channels;
          const auto stay = [&](double share) {
            return thimble::remaining_channels(channels, share);
          };
          if (owner[i] == group && stay(sparsity) != stay(genotype[sparsity_place(group)]))
            return false;
        }
        return true;
      });
    return made;
  }

 private:
  void make_decisions() {
    Decision& baseline = add_decision("baseline", Decision::Type::categorical);
    for (const Family family : params_.families)
      baseline.options.emplace_back(baseline_of(family).name);
    Decision& width = add_decision("width", Decision::Type::continuous);
    width.least = kNarrowest;
    width.most = 1.0;
    width.resolution = kResolution;
    for (int group = 1; group <= kGroups; ++group) {
      const std::string number = std::to_string(group);
      Decision& depth = add_decision("depth_" + number, Decision::Type::categorical);
      for (int i = 1; i <= kDeepest; ++i) depth.options.push_back(std::to_string(i));
      Decision& conv = add_decision("conv_" + number, Decision::Type::categorical);
      for (const int kernel : kKernels)
        for (const int stride : kStrides)
          conv.options.push_back("k" + std::to_string(kernel) + "s" + std::to_string(stride));
      Decision& sparsity = add_decision("sparsity_" + number, Decision::Type::continuous);
      sparsity.most = params_.sparsest;
      sparsity.resolution = kResolution;
    }
  }

  Decision& add_decision(const std::string& name, Decision::Type type) {
    Decision& made = decisions_.emplace_back();
    made.name = name;
    made.type = type;
    return made;
  }

  const Baseline& baseline_at(std::size_t option) const {
    return baseline_of(params_.families.at(option));
  }

  Genotype published(std::size_t option) const {
    Genotype genotype(decisions_.size(), 0.0);
    genotype[kBaselinePlace] = static_cast<double>(option);
    genotype[kWidthPlace] = 1.0;
    for (std::size_t i = 0; i < kGroups; ++i) decide(baseline_at(option).groups[i], i, genotype);
    return genotype;
  }

  Dense build_dense(const Genotype& genotype) const {
    const Baseline& baseline = baseline_at(static_cast<std::size_t>(genotype[kBaselinePlace]));
    Dense dense;
    Graph& graph = dense.graph;
    Layers layers{graph,
                  {.is_series = baseline.data == Data::series,
                   .is_input_small = params_.stem == Stem::small,
                   .multiplier = genotype[kWidthPlace],
                   .classes = params_.classes}};
    NodeId x = graph.input({params_.channels, params_.height, params_.width});
    {
      const Graph::Scope scope{graph, "stem"};
      x = baseline.stem(layers, x);
    }
    std::vector<NodeId> inputs;
    const auto groups = decided_groups(baseline, genotype);
    for (std::size_t i = 0; i < kGroups; ++i) {
      const Graph::Scope scope{graph, "group" + std::to_string(i + 1)};
      dense.bounds[i] = graph.size();
      for (int block = 0; block < groups[i].depth; ++block) {
        const Graph::Scope inner{graph, "block" + std::to_string(block + 1)};
        inputs.push_back(x);
        const int stride = block == 0 ? groups[i].stride : 1;
        x = baseline.superblock(layers, x, {groups[i].width, groups[i].kernel, stride, inputs});
      }
    }
    dense.bounds[kGroups] = graph.size();
    const Graph::Scope scope{graph, "head"};
    graph.set_output(params_.head == Head::classification ? baseline.head(layers, x)
                                                          : map_head(layers, x, channels_of_map()));
    dense.widths = layers.widths();
    return dense;
  }

  /// Of boxes: for each anchor four numbers of a box, whether there is one, and which class it is
  /// of, where there are several (Redmon and Farhadi 2018, arXiv 1804.02767). Of points: whether
  /// there is one of each class.
  int channels_of_map() const {
    if (params_.head == Head::points) return params_.classes;
    return params_.anchors * (5 + (params_.classes > 1 ? params_.classes : 0));
  }

  Params params_;
  std::vector<Decision> decisions_;
};

}  // namespace
}  // namespace superblocks

THIMBLE_PLUGIN("superblocks", "1.0.0") {
  plugin.provides<superblocks::Superblocks>(
      "PrototypeNAS: families of networks whose structure, width and pruning are decided together");
}
