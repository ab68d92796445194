// Draws that keep limits, on spaces small enough to know all of their networks.

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include <support/priced_space.hpp>
#include <thimble/search/feasible_draws.hpp>

namespace thimble::feasible_draws_test {
namespace {

using Prices = PricedSpace::Prices;

OptionNumbers even(const PricedSpace& space) {
  OptionNumbers logits;
  for (const auto& own : space.prices) logits.emplace_back(own.size());
  return shares_of(logits, 1);
}

/// Prices that are in no order.
Prices drawn_prices(Random& random, std::size_t decisions) {
  Prices prices(decisions);
  for (auto& own : prices)
    for (std::uint64_t k = 0; k < 2 + random.below(3); ++k) own.push_back(random.uniform());
  return prices;
}

/// From the least that a network costs, 0, to the most, 1.
double price_between(const PricedSpace& space, double share) {
  double least = 0, most = 0;
  for (const auto& own : space.prices) {
    least += *std::ranges::min_element(own);
    most += *std::ranges::max_element(own);
  }
  return least + share * (most - least);
}

std::vector<Genotype> all_of(const PricedSpace& space) {
  std::vector<Genotype> all;
  const auto decisions = space.decisions();
  for (std::uint64_t i = 0; i < *space_size(decisions); ++i)
    all.push_back(genotype_at(decisions, i));
  return all;
}

TEST(SharesOf, AreASoftmax) {
  const auto shares = shares_of({{0, std::log(3.0)}, {1000, 1000, 1000}}, 1);
  EXPECT_NEAR(shares[0][0], 0.25, 1e-12);
  EXPECT_NEAR(shares[1][2], 1.0 / 3, 1e-12);
  EXPECT_NEAR(shares_of({{0, std::log(3.0)}}, 0.5)[0][1], 0.9, 1e-12);
}

TEST(FeasibleDraws, KeepTheLimitsAlways) {
  Random random{1};
  int draws = 0;
  for (int net = 0; net < 20; ++net) {
    const PricedSpace space{drawn_prices(random, 10)};
    OptionNumbers logits = even(space);
    for (auto& own : logits)
      for (double& logit : own) logit = 3 * random.normal();
    for (const double share : {0.02, 0.2, 0.5, 0.8, 1.0}) {
      Pricing pricing{space, {{"latency_ms", price_between(space, share)}}};
      const Problem problem = pricing.problem();
      FeasibleDraws feasible{problem, pricing};
      ASSERT_TRUE(feasible.root().is_feasible());
      for (int i = 0; i < 500; ++i, ++draws)
        ASSERT_TRUE(
            pricing.cost(feasible.draw(shares_of(logits, 1), random).genotype).is_feasible());
    }
  }
  EXPECT_EQ(draws, 50'000);
}

TEST(FeasibleDraws, ReachEveryNetworkThatKeepsTheLimits) {
  Random random{2};
  const PricedSpace space{drawn_prices(random, 6)};
  Pricing pricing{space, {{"latency_ms", 2.5}}};
  const Problem problem = pricing.problem();
  FeasibleDraws feasible{problem, pricing};
  std::set<Genotype> open, reached;
  for (const Genotype& genotype : all_of(space)) {
    if (pricing.cost(genotype).is_feasible()) open.insert(genotype);
    OptionNumbers shares = even(space);
    for (std::size_t i = 0; i < shares.size(); ++i) {
      std::ranges::fill(shares[i], 1e-9);
      shares[i][static_cast<std::size_t>(genotype[i])] = 1;
    }
    for (int order = 0; order < 3; ++order) reached.insert(feasible.draw(shares, random).genotype);
  }
  EXPECT_GT(open.size(), 20U);
  EXPECT_LT(open.size(), all_of(space).size());
  EXPECT_EQ(reached, open);
}

/// Two coins of which not both may be 1: the first that is drawn is fair, the second only where the
/// first is 0.
TEST(FeasibleDraws, HaveTheSharesOfDrawsOneAfterTheOther) {
  const PricedSpace space{{{0, 1}, {0, 1}}};
  Pricing pricing{space, {{"latency_ms", 1}}};
  const Problem problem = pricing.problem();
  FeasibleDraws feasible{problem, pricing};
  Random random{3};
  constexpr int kDraws = 20'000;
  std::map<Genotype, int> counts;
  for (int i = 0; i < kDraws; ++i) {
    const FeasibleDraws::Draw draw = feasible.draw(even(space), random);
    ++counts[draw.genotype];
    for (std::size_t k = 0; k < 2; ++k) {
      const double share = draw.shares[k][static_cast<std::size_t>(draw.genotype[k])];
      EXPECT_TRUE(share == 0.5 || (share == 1 && draw.genotype[k] == 0)) << share;
    }
  }
  EXPECT_EQ(counts.size(), 3U);
  EXPECT_NEAR(counts[(Genotype{0, 0})] / double{kDraws}, 0.25, 0.01);
  EXPECT_NEAR(counts[(Genotype{0, 1})] / double{kDraws}, 0.375, 0.011);
  EXPECT_NEAR(counts[(Genotype{1, 0})] / double{kDraws}, 0.375, 0.011);
}

TEST(FeasibleDraws, AskForLittleWhereLimitsAreWide) {
  Random random{4};
  const PricedSpace space{drawn_prices(random, 12)};
  Pricing pricing{space, {{"latency_ms", 100}}};
  const Problem problem = pricing.problem();
  FeasibleDraws feasible{problem, pricing};
  pricing.asked = 0;
  for (int i = 0; i < 100; ++i) feasible.draw(even(space), random);
  EXPECT_LE(pricing.asked, 100);
}

TEST(FeasibleDraws, SayWhereNothingKeepsTheLimits) {
  const PricedSpace space{{{5, 2, 3}, {4, 7}}};
  Pricing pricing{space, {{"latency_ms", 5}}};
  const Problem problem = pricing.problem();
  const FeasibleDraws feasible{problem, pricing};
  EXPECT_FALSE(feasible.root().is_feasible());
  EXPECT_EQ(feasible.root().genotype, (Genotype{1, 0})) << "the nearest";
}

TEST(FeasibleDraws, FindTheLikeliest) {
  Random random{5};
  for (int net = 0; net < 10; ++net) {
    const PricedSpace space{drawn_prices(random, 7)};
    Pricing pricing{space, {{"latency_ms", price_between(space, 0.4)}}};
    const Problem problem = pricing.problem();
    FeasibleDraws feasible{problem, pricing};
    OptionNumbers logits = even(space);
    for (auto& own : logits)
      for (double& logit : own) logit = 2 * random.normal();
    const OptionNumbers shares = shares_of(logits, 1);
    const auto share_of = [&](const Genotype& genotype) {
      double product = 1;
      for (std::size_t i = 0; i < genotype.size(); ++i)
        product *= shares[i][static_cast<std::size_t>(genotype[i])];
      return product;
    };
    double best = 0;
    for (const Genotype& genotype : all_of(space))
      if (pricing.cost(genotype).is_feasible()) best = std::max(best, share_of(genotype));
    const auto found = feasible.likeliest(shares, 5, random);
    ASSERT_EQ(found.size(), 5U);
    EXPECT_DOUBLE_EQ(share_of(found[0]), best);
    for (std::size_t i = 0; i < found.size(); ++i) {
      EXPECT_TRUE(pricing.cost(found[i]).is_feasible());
      if (i > 0) {
        EXPECT_GE(share_of(found[i - 1]), share_of(found[i]));
      }
    }
    EXPECT_EQ(std::set<Genotype>(found.begin(), found.end()).size(), found.size());
  }
}

}  // namespace
}  // namespace thimble::feasible_draws_test
