#include <thimble/space/search_space.hpp>

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include <thimble/core/error.hpp>
#include <thimble/core/text.hpp>
#include <thimble/graph/pruning.hpp>
#include <thimble/graph/transforms.hpp>

namespace thimble {
namespace {

const Graph& supernet_of(const SearchSpace& space) {
  const Graph* const supernet = space.supernet();
  if (supernet == nullptr)
    throw Error{"this search space has no supernet and does not say how to build its networks"};
  return *supernet;
}

/// Of a decision that is not dense, in one unit.
int steps_of_unit(const Decision& decision) {
  return decision.type == Decision::Type::continuous ? decision.resolution : 1;
}

std::string value_text(const Decision& decision, double value) {
  if (decision.type == Decision::Type::categorical)
    return decision.options.at(static_cast<std::size_t>(value));
  return number_text(value);
}

double parse_value(const Decision& decision, const std::string& word) {
  if (decision.type == Decision::Type::categorical) {
    const auto& options = decision.options;
    const auto found = std::find(options.begin(), options.end(), word);
    if (found == options.end())
      throw Error{fmt::format("'{}' has no option {}{}", decision.name, in_quotes(word),
                              did_you_mean(word, options)),
                  "options are " + join(options)};
    return static_cast<double>(found - options.begin());
  }
  const auto number = parse_number(word);
  if (!number || !(*number >= decision.least && *number <= decision.most))
    throw Error{fmt::format("'{}' cannot be {}", decision.name, in_quotes(word)),
                fmt::format("it lies in [{}, {}]", number_text(decision.least),
                            number_text(decision.most))};
  const double nearest = decision.nearest(*number);
  if (nearest != *number)
    throw Error{
        fmt::format("'{}' cannot be {}", decision.name, in_quotes(word)),
        fmt::format("its values are {} apart: {}={}", number_text(1.0 / steps_of_unit(decision)),
                    decision.name, number_text(nearest))};
  return nearest;
}

}  // namespace

std::uint64_t Decision::values() const noexcept {
  return static_cast<std::uint64_t>(std::round((last() - first()) * steps_of_unit(*this))) + 1;
}

double Decision::value_at(std::uint64_t index) const noexcept {
  return nearest(first() + static_cast<double>(index) / steps_of_unit(*this));
}

double Decision::nearest(double number) const noexcept {
  const double within = std::clamp(number, first(), last());
  // A quotient is the double that is nearest to it, so that 0.38 is what anybody else calls 0.38.
  const double steps = steps_of_unit(*this);
  return is_dense() ? within : std::round(within * steps) / steps;
}

SearchSpace::~SearchSpace() = default;

const Graph* SearchSpace::supernet() const { return nullptr; }

std::vector<Decision> SearchSpace::decisions() const {
  std::vector<Decision> decisions;
  for (const auto& [name, options] : supernet_of(*this).decisions()) {
    Decision decision;
    decision.name = name;
    decision.options = options;
    decisions.push_back(std::move(decision));
  }
  return decisions;
}

std::optional<Unpruned> SearchSpace::unpruned(const Genotype&) const { return std::nullopt; }

Graph SearchSpace::build(const Genotype& genotype) const {
  if (const auto whole = unpruned(genotype))
    return pruned(whole->graph, coupled_channels(whole->graph), whole->sparsity).graph;
  return resolved(supernet_of(*this), options_of(genotype));
}

std::string SearchSpace::encode(const Genotype& genotype) const {
  const auto all = decisions();
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < all.size(); ++i)
    parts.push_back(all[i].name + "=" + value_text(all[i], genotype.at(i)));
  return join(parts, ",");
}

Genotype SearchSpace::decode(std::string_view text) const {
  const auto all = decisions();
  const auto parts = split(text, ',');
  if (parts.size() != all.size())
    throw Error{fmt::format("{} has {} parts, not {}", in_quotes(text), parts.size(), all.size()),
                "write name=value for each decision, in their order, with commas between"};
  Genotype genotype;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::string prefix = all[i].name + "=";
    const std::string part{trimmed(parts[i])};
    if (!part.starts_with(prefix))
      throw Error{fmt::format("{} stands where '{}...' should", in_quotes(part), prefix)};
    genotype.push_back(parse_value(all[i], part.substr(prefix.size())));
  }
  return genotype;
}

Genotype SearchSpace::canonical(const Genotype& genotype) const { return genotype; }

std::optional<std::uint64_t> space_size(const std::vector<Decision>& decisions) {
  constexpr std::uint64_t kMost = std::uint64_t{1} << 62;
  std::uint64_t size = 1;
  for (const Decision& decision : decisions) {
    if (decision.is_dense()) return std::nullopt;
    const std::uint64_t values = decision.values();
    if (values == 0 || size > kMost / values) return std::nullopt;
    size *= values;
  }
  return size;
}

Genotype genotype_at(const std::vector<Decision>& decisions, std::uint64_t index) {
  Genotype genotype(decisions.size());
  for (std::size_t i = decisions.size(); i-- > 0;) {
    const std::uint64_t values = decisions[i].values();
    genotype[i] = decisions[i].value_at(index % values);
    index /= values;
  }
  return genotype;
}

Genotype random_genotype(const std::vector<Decision>& decisions, Random& random) {
  Genotype genotype;
  for (const Decision& decision : decisions) {
    genotype.push_back(
        decision.is_dense()
            ? decision.nearest(decision.least + (decision.most - decision.least) * random.uniform())
            : decision.value_at(random.below(decision.values())));
  }
  return genotype;
}

Graph some_network(const SearchSpace& space) {
  if (const Graph* const supernet = space.supernet()) return *supernet;
  Genotype genotype;
  for (const Decision& decision : space.decisions()) genotype.push_back(decision.first());
  return space.build(genotype);
}

std::vector<int> options_of(const Genotype& genotype) {
  std::vector<int> options;
  for (const double value : genotype) options.push_back(static_cast<int>(value));
  return options;
}

}  // namespace thimble
