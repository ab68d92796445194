#include <thimble/search/aggregate.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include <thimble/core/ranks.hpp>

namespace thimble {
namespace {

using Goodness = std::vector<double>;  // one a candidate, more is better

constexpr double kUnknown = -std::numeric_limits<double>::infinity();

std::vector<bool> unknown_to_one(const std::vector<Goodness>& members) {
  std::vector<bool> is_unknown(members[0].size());
  for (const Goodness& member : members)
    for (std::size_t i = 0; i < member.size(); ++i)
      if (member[i] == kUnknown) is_unknown[i] = true;
  return is_unknown;
}

/// Sum over members of term(rank, N).
template <class Term>
Goodness sum_over_ranks(const std::vector<Goodness>& members, Term term) {
  Goodness sums(members[0].size());
  for (const Goodness& member : members) {
    const auto ranks = mid_ranks(member);
    for (std::size_t i = 0; i < sums.size(); ++i)
      sums[i] += term(ranks[i], static_cast<double>(sums.size()));
  }
  return sums;
}

Goodness votes(const std::vector<Goodness>& members) {
  const std::size_t count = members[0].size();
  Goodness beaten(count);
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      int for_i = 0;
      for (const Goodness& member : members)
        for_i += (member[i] > member[j]) - (member[i] < member[j]);
      if (for_i != 0) ++beaten[for_i > 0 ? i : j];
    }
  }
  return beaten;
}

}  // namespace

const std::vector<std::pair<std::string, AggregateKind>>& names_of(AggregateKind) {
  static const std::vector<std::pair<std::string, AggregateKind>> kNames{
      {"rank_sum", AggregateKind::rank_sum},
      {"log_rank_sum", AggregateKind::log_rank_sum},
      {"vote", AggregateKind::vote}};
  return kNames;
}

std::vector<double> combine(AggregateKind kind, std::vector<std::vector<double>> members) {
  if (members.empty()) return {};
  const auto is_unknown = unknown_to_one(members);
  for (Goodness& member : members)
    for (std::size_t i = 0; i < member.size(); ++i)
      if (is_unknown[i]) member[i] = kUnknown;
  Goodness values;
  switch (kind) {
    case AggregateKind::rank_sum:
      values = sum_over_ranks(members, [](double rank, double) { return rank; });
      break;
    case AggregateKind::log_rank_sum:
      values = sum_over_ranks(members, [](double rank, double n) { return std::log(rank / n); });
      break;
    case AggregateKind::vote: values = votes(members); break;
  }
  for (std::size_t i = 0; i < values.size(); ++i)
    if (is_unknown[i]) values[i] = kUnknown;
  return values;
}

}  // namespace thimble
