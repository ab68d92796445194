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

std::uint64_t values_of(const Decision& decision) {
  return static_cast<std::uint64_t>(decision.last() - decision.first() + 1);
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
  const bool is_whole =
      decision.type != Decision::Type::integer || (number && std::floor(*number) == *number);
  if (!number || !is_whole || *number < decision.least || *number > decision.most)
    throw Error{fmt::format("'{}' cannot be {}", decision.name, in_quotes(word)),
                fmt::format("it lies in [{}, {}]", number_text(decision.least),
                            number_text(decision.most))};
  return *number;
}

}  // namespace

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
    if (decision.type == Decision::Type::continuous) return std::nullopt;
    const std::uint64_t values = values_of(decision);
    if (values == 0 || size > kMost / values) return std::nullopt;
    size *= values;
  }
  return size;
}

Genotype genotype_at(const std::vector<Decision>& decisions, std::uint64_t index) {
  Genotype genotype(decisions.size());
  for (std::size_t i = decisions.size(); i-- > 0;) {
    const std::uint64_t values = values_of(decisions[i]);
    genotype[i] = decisions[i].first() + static_cast<double>(index % values);
    index /= values;
  }
  return genotype;
}

Genotype random_genotype(const std::vector<Decision>& decisions, Random& random) {
  Genotype genotype;
  for (const Decision& decision : decisions) {
    if (decision.type == Decision::Type::continuous) {
      genotype.push_back(decision.least + (decision.most - decision.least) * random.uniform());
    } else {
      genotype.push_back(decision.first() + static_cast<double>(random.below(values_of(decision))));
    }
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
