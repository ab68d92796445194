#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/core/kind.hpp>
#include <thimble/core/random.hpp>
#include <thimble/graph/graph.hpp>

namespace thimble {

/// One named variable of a search space.
struct Decision {
  enum class Type { categorical, integer, continuous };
  std::string name;
  Type type = Type::categorical;
  std::vector<std::string> options;  ///< of a categorical one
  double least = 0;                  ///< of the others, both ends included
  double most = 0;
  int resolution = 0;  ///< of a continuous one: values are whole multiples of 1 / this; 0: any

  /// The least value that a genotype may have here: of options, the index of the first.
  double first() const noexcept { return type == Type::categorical ? 0 : least; }
  /// The greatest.
  double last() const noexcept {
    return type == Type::categorical ? static_cast<double>(options.size()) - 1 : most;
  }
  /// Whether any number between the ends is a value, so that they cannot be counted.
  bool is_dense() const noexcept { return type == Type::continuous && resolution == 0; }
  /// How many values there are. It must not be dense.
  THIMBLE_EXPORT std::uint64_t values() const noexcept;
  /// The index-th of them, from the least.
  THIMBLE_EXPORT double value_at(std::uint64_t index) const noexcept;
  /// The value that is nearest to a number.
  THIMBLE_EXPORT double nearest(double number) const noexcept;

  bool operator==(const Decision&) const = default;
};

/// A value for every decision, in their order: the index of the option, the integer, the number.
using Genotype = std::vector<double>;

/// A network with all of its channels, and the share of each of its channel groups, in the order of
/// coupled_channels(), that pruning takes.
struct Unpruned {
  Graph graph;
  std::vector<double> sparsity;
};

/// Says which decisions there are and builds a graph from decided ones.
///
/// A space whose decisions are all choices between operators writes its supernet once and gets
/// everything else from it. A space whose decisions change shapes overrides decisions() and
/// build(), or unpruned() where they prune, too. All members are const and thread safe.
class THIMBLE_EXPORT SearchSpace {
 public:
  using Interface = SearchSpace;
  static constexpr Kind kKind = Kind::searchspace;
  virtual ~SearchSpace();

  /// The graph with every choice open, or nullptr. Required: unless decisions() and build() are.
  virtual const Graph* supernet() const;
  /// Required: if there is no supernet. Default: the supernet's choices, in their order.
  virtual std::vector<Decision> decisions() const;
  /// The network of a genotype. Required: if there is neither a supernet nor unpruned().
  virtual Graph build(const Genotype& genotype) const;
  /// The network whose pruning gives build(), which is what is trained and pruned to it: connected
  /// and without dead ends. Required: if decisions prune; then for every genotype, pruned or not.
  virtual std::optional<Unpruned> unpruned(const Genotype& genotype) const;
  /// The one text form. Required: no. Default: "name=value,name=value".
  virtual std::string encode(const Genotype& genotype) const;
  /// Reads what encode() writes; throws Error that names the offending word otherwise.
  virtual Genotype decode(std::string_view text) const;
  /// The genotype that stands for all that compute the same function; scores are shared by it.
  /// Required: no. Default: the genotype itself.
  virtual Genotype canonical(const Genotype& genotype) const;
};

/// How many genotypes there are; nothing when a decision is dense or they exceed 2^62.
THIMBLE_EXPORT std::optional<std::uint64_t> space_size(const std::vector<Decision>& decisions);

/// The index-th genotype, the last decision varying fastest. The space must be finite.
THIMBLE_EXPORT Genotype genotype_at(const std::vector<Decision>& decisions, std::uint64_t index);

THIMBLE_EXPORT Genotype random_genotype(const std::vector<Decision>& decisions, Random& random);

/// A network of the space, any: all of them take the same input and have as many outputs. With a
/// supernet it is that, all choices open.
THIMBLE_EXPORT Graph some_network(const SearchSpace& space);

/// A genotype of categorical decisions as option indices.
THIMBLE_EXPORT std::vector<int> options_of(const Genotype& genotype);

}  // namespace thimble
