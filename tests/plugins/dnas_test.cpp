// Search by a distribution, on weights that are a formula: what is best is known.

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <numeric>
#include <string>

#include <gmock/gmock.h>

#include <support/priced_space.hpp>
#include <support/world.hpp>
#include <thimble/core/stop.hpp>

namespace thimble::dnas_test {
namespace {

/// Every option has a loss of its own; batches add noise that networks share, and some that they do
/// not. Keeps what it is told to.
class PlantedWeights final : public Relaxation {
 public:
  PlantedWeights(const PricedSpace::Prices& losses, double noise, NamedNumbers* kept)
      : losses_{losses}, noise_{noise}, kept_{kept} {}

  std::int64_t steps_of_epoch() const override { return 40; }
  double learn(std::span<const Genotype> networks) override { return loss_of(networks[0]); }
  std::vector<double> losses(std::span<const Genotype> networks) override {
    const double batch = noise_ * 10 * random_.normal();
    std::vector<double> found;
    for (const Genotype& network : networks)
      found.push_back(loss_of(network) + batch + noise_ * random_.normal());
    return found;
  }
  double learn(std::span<const OptionNumbers> mixtures) override { return loss_of(mixtures[0]); }
  std::vector<MixtureLoss> losses(std::span<const OptionNumbers> mixtures) override {
    std::vector<MixtureLoss> found;
    for (const OptionNumbers& mixture : mixtures) {
      found.push_back({loss_of(mixture), losses_});
      for (auto& own : found.back().by_share)
        for (double& slope : own) slope += noise_ * random_.normal();
    }
    return found;
  }
  double validate(const Genotype& network) override { return -loss_of(network); }
  double validate_alone(const Genotype& network) override { return -loss_of(network); }
  void keep(const NamedNumbers& numbers) override {
    if (kept_ != nullptr) *kept_ = numbers;
  }
  std::optional<NamedNumbers> kept() override {
    if (kept_ == nullptr || kept_->empty()) return {};
    return *kept_;
  }

 private:
  double loss_of(const Genotype& network) const {
    double sum = 0;
    for (std::size_t i = 0; i < network.size(); ++i)
      sum += losses_[i][static_cast<std::size_t>(network[i])];
    return sum;
  }

  double loss_of(const OptionNumbers& mixture) const {
    double sum = 0;
    for (std::size_t i = 0; i < mixture.size(); ++i)
      sum += std::inner_product(mixture[i].begin(), mixture[i].end(), losses_[i].begin(), 0.0);
    return sum;
  }

  const PricedSpace::Prices& losses_;
  double noise_;
  NamedNumbers* kept_;
  Random random_{7};
};

/// Ten decisions of three options; what costs more loses less, but for noise in both.
struct Planted final : Pricing {
  static PricedSpace::Prices drawn(std::uint64_t seed, bool is_price) {
    Random random{seed};
    PricedSpace::Prices made(10);
    for (auto& own : made) {
      const double weight = 0.2 + random.uniform();
      for (int k = 0; k < 3; ++k) {
        const double price = weight * (k + random.uniform());
        const double loss = weight * (0.5 * (2 - k) + random.uniform()) / 5;
        own.push_back(is_price ? price : loss);
      }
    }
    return made;
  }

  Planted(const PricedSpace& space, double most, std::uint64_t seed)
      : Pricing{space, {{"latency_ms", most}}}, losses{drawn(seed, false)} {}

  std::unique_ptr<Relaxation> relaxation(const RelaxationOrder&) override {
    return std::make_unique<PlantedWeights>(losses, noise, kept);
  }

  PricedSpace::Prices losses;
  double noise = 0.1;
  NamedNumbers* kept = nullptr;
};

std::unique_ptr<Searcher> dnas(const std::string& yaml) {
  static PluginLoader loader = testing::plugins();
  return testing::make<Searcher>(loader, "dnas", yaml);
}

double loss_of(const PricedSpace::Prices& losses, const Genotype& genotype) {
  double sum = 0;
  for (std::size_t i = 0; i < genotype.size(); ++i)
    sum += losses[i][static_cast<std::size_t>(genotype[i])];
  return sum;
}

struct Optimum {
  double loss = 1e9;
  double most_ms = 0;  ///< the limit
};

/// The best of all 3^10 networks below a share of the way from the cheapest to the dearest.
Optimum optimum_of(const PricedSpace& space, const PricedSpace::Prices& losses, double share) {
  double least = 0, most = 0;
  for (const auto& own : space.prices) {
    least += *std::ranges::min_element(own);
    most += *std::ranges::max_element(own);
  }
  Optimum made{.loss = 1e9, .most_ms = least + share * (most - least)};
  const auto decisions = space.decisions();
  for (std::uint64_t i = 0; i < *space_size(decisions); ++i) {
    const Genotype genotype = genotype_at(decisions, i);
    if (space.price(genotype) <= made.most_ms)
      made.loss = std::min(made.loss, loss_of(losses, genotype));
  }
  return made;
}

constexpr std::array kBudgets{0.15, 0.3, 0.5, 0.7, 0.9};

TEST(Dnas, FindsThePlantedOptimumUnderAnyLimit) {
  // 2,000 steps: 20 seeds at 5 budgets.
  const auto searcher = dnas("{epochs: 50, warm_up: 0}");
  int budgets_used = 0;
  for (const double share : kBudgets) {
    int hits = 0;
    double used = 0;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      const PricedSpace space{Planted::drawn(seed, true)};
      const Optimum optimum = optimum_of(space, Planted::drawn(seed, false), share);
      Planted planted{space, optimum.most_ms, seed};
      const Problem problem = planted.problem(seed);
      const SearchResult result = searcher->search(problem, planted);
      ASSERT_TRUE(result.best && result.best->is_feasible());
      if (loss_of(planted.losses, result.best->genotype) <= optimum.loss + 1e-9) ++hits;
      used += space.price(result.best->genotype) / optimum.most_ms / 20;
    }
    EXPECT_GE(hits, 19) << "at " << share;
    if (used >= 0.9) ++budgets_used;
  }
  EXPECT_GE(budgets_used, 4) << "what costs more loses less here";
}

TEST(Dnas, KeepsLimitsWithAnyConstraint) {
  for (const char* const constraint : {"masked", "soft_log", "lagrangian"})
    for (const double share : kBudgets) {
      const PricedSpace space{Planted::drawn(1, true)};
      const Optimum optimum = optimum_of(space, Planted::drawn(1, false), share);
      Planted planted{space, optimum.most_ms, 1};
      const Problem problem = planted.problem();
      const auto searcher =
          dnas("{epochs: 50, warm_up: 0.1, constraint: " + std::string{constraint} + "}");
      const SearchResult result = searcher->search(problem, planted);
      ASSERT_TRUE(result.best);
      EXPECT_TRUE(result.best->is_feasible()) << constraint << share;
      EXPECT_LE(loss_of(planted.losses, result.best->genotype), optimum.loss + 0.15)
          << constraint << share;
    }
}

TEST(Dnas, FindsThePlantedOptimumWithSoftMixtures) {
  for (const char* const constraint : {"soft_log", "lagrangian"})
    for (const double share : {0.3, 0.7}) {
      const PricedSpace space{Planted::drawn(1, true)};
      const Optimum optimum = optimum_of(space, Planted::drawn(1, false), share);
      Planted planted{space, optimum.most_ms, 1};
      const Problem problem = planted.problem();
      const auto searcher = dnas(
          "{epochs: 25, warm_up: 0, mixture: soft, constraint: " + std::string{constraint} + "}");
      const SearchResult result = searcher->search(problem, planted);
      ASSERT_TRUE(result.best && result.best->is_feasible());
      EXPECT_LE(loss_of(planted.losses, result.best->genotype), optimum.loss + 0.01)
          << constraint << share;
    }
}

TEST(Dnas, RefusesWhatDoesNotGoTogether) {
  EXPECT_THROW(dnas("{mixture: soft}"), Error);
  EXPECT_THROW(dnas("{draws: 1}"), Error);
}

TEST(Dnas, GoesOnToTheSameResult) {
  const PricedSpace space{Planted::drawn(2, true)};
  Planted whole{space, 8, 2};
  const Problem problem = whole.problem();
  // Without noise, a batch's numbers do not hang on what was asked before.
  whole.noise = 0;
  const auto searcher = dnas("{epochs: 8}");
  NamedNumbers end;
  whole.kept = &end;
  const SearchResult expected = searcher->search(problem, whole);
  NamedNumbers half;
  Planted first{space, 8, 2};
  first.noise = 0;
  first.kept = &half;
  struct StopAt final : Pricing {
    StopAt(const PricedSpace& space, Planted& planted, const Problem& of)
        : Pricing{space, of.limits}, planted_{planted} {}
    std::unique_ptr<Relaxation> relaxation(const RelaxationOrder& order) override {
      return planted_.relaxation(order);
    }
    void log(const std::string& line) override {
      if (line.starts_with("epoch 5")) throw Interrupted{"interrupted"};
    }
    Planted& planted_;
  } stopping{space, first, problem};
  EXPECT_THROW(searcher->search(problem, stopping), Interrupted);
  EXPECT_EQ(half.at("epoch"), (std::vector<double>{4}));
  const SearchResult resumed = searcher->search(problem, first);
  EXPECT_EQ(resumed.best->text, expected.best->text);
  EXPECT_EQ(half.at("logits"), end.at("logits"));
}

TEST(Dnas, MovesWithItsFirstStep) {
  const PricedSpace space{Planted::drawn(3, true)};
  Planted planted{space, 1e3, 3};
  NamedNumbers kept;
  planted.kept = &kept;
  const Problem problem = planted.problem();
  dnas("{epochs: 1, warm_up: 0}")->search(problem, planted);
  const auto& logits = kept.at("logits");
  EXPECT_GT(std::ranges::count_if(logits, [](double logit) { return logit != 0; }), 0);
}

TEST(Dnas, SaysWhereItOnlyDrew) {
  const PricedSpace space{Planted::drawn(3, true)};
  Planted planted{space, 1e3, 3};
  const Problem problem = planted.problem();
  const auto said = [&](const std::string& yaml) {
    return dnas(yaml)->search(problem, planted).remarks;
  };
  const auto only_drew = ::testing::HasSubstr("as likely as at first");
  EXPECT_THAT(said("{epochs: 2, warm_up: 1}"), ::testing::Contains(only_drew));
  EXPECT_THAT(said("{epochs: 20, warm_up: 0}"), ::testing::Not(::testing::Contains(only_drew)));
}

TEST(Dnas, OfOneNetworkFindsIt) {
  const PricedSpace space{{{1}, {2}}};
  Planted planted{space, 5, 1};
  const Problem problem = planted.problem();
  const SearchResult result = dnas("{epochs: 2}")->search(problem, planted);
  EXPECT_EQ(result.best->genotype, (Genotype{0, 0}));
}

TEST(Dnas, SaysWhereNothingKeepsTheLimits) {
  const PricedSpace space{{{1, 2}, {2, 3}}};
  Planted planted{space, 2, 1};
  const Problem problem = planted.problem();
  const SearchResult result = dnas("{}")->search(problem, planted);
  ASSERT_TRUE(result.best);
  EXPECT_FALSE(result.best->is_feasible());
  EXPECT_THAT(result.remarks, ::testing::Contains(::testing::HasSubstr("nothing was trained")));
}

}  // namespace
}  // namespace thimble::dnas_test
