// Search by a distribution, on weights that are a formula: what is best is known.

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
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
  PlantedWeights(const PricedSpace::Prices& losses, double noise, NamedNumbers* kept,
                 std::vector<Genotype>& tried)
      : losses_{losses}, noise_{noise}, kept_{kept}, tried_{tried} {}

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
  double validate_alone(const Genotype& network) override {
    tried_.push_back(network);
    return -loss_of(network);
  }
  void hand_on(const Genotype&) override {}
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
  std::vector<Genotype>& tried_;
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
      : Planted{space, std::vector<Limit>{{"latency_ms", most}}, seed} {}
  Planted(const PricedSpace& space, std::vector<Limit> limits, std::uint64_t seed)
      : Pricing{space, std::move(limits)}, losses{drawn(seed, false)} {}

  std::unique_ptr<Relaxation> relaxation(const RelaxationOrder&) override {
    return std::make_unique<PlantedWeights>(losses, noise, kept, tried);
  }

  PricedSpace::Prices losses;
  double noise = 0.1;
  NamedNumbers* kept = nullptr;
  std::vector<Genotype> tried;  ///< trained by themselves
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

class DnasThatIsKept : public ::testing::TestWithParam<const char*> {};

TEST_P(DnasThatIsKept, GoesOnToTheSameResult) {
  const PricedSpace space{Planted::drawn(2, true)};
  Planted whole{space, 8, 2};
  const Problem problem = whole.problem();
  // Without noise, a batch's numbers do not hang on what was asked before.
  whole.noise = 0;
  const auto searcher = dnas(std::string{"{epochs: 24"} + GetParam() + "}");
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
      if (line.starts_with("epoch 13 ")) throw Interrupted{"interrupted"};
    }
    Planted& planted_;
  } stopping{space, first, problem};
  EXPECT_THROW(searcher->search(problem, stopping), Interrupted);
  EXPECT_EQ(half.at("epoch"), (std::vector<double>{12}));
  const SearchResult resumed = searcher->search(problem, first);
  EXPECT_EQ(resumed.best->text, expected.best->text);
  EXPECT_EQ(half.at("logits"), end.at("logits"));
  EXPECT_EQ(half.at("duals"), end.at("duals"));
}

INSTANTIATE_TEST_SUITE_P(Constraints, DnasThatIsKept,
                         ::testing::Values("", ", constraint: lagrangian",
                                           ", mixture: soft, constraint: lagrangian"));

TEST(Dnas, TakesLimitsThatEverythingMeetsForNone) {
  const PricedSpace space{Planted::drawn(4, true)};
  const auto searched = [&](std::vector<Limit> limits, NamedNumbers& end) {
    Planted planted{space, std::move(limits), 4};
    planted.kept = &end;
    const Problem problem = planted.problem();
    return dnas("{epochs: 10}")->search(problem, planted);
  };
  NamedNumbers wide, none, tight;
  const SearchResult limited = searched({{"latency_ms", 1e3}, {"ram_bytes", 1e9}}, wide);
  const SearchResult free = searched({}, none);
  EXPECT_EQ(limited.best->text, free.best->text);
  EXPECT_EQ(wide.at("logits"), none.at("logits"));
  searched({{"latency_ms", 8}}, tight);
  EXPECT_NE(tight.at("logits"), none.at("logits"));
}

/// The second decision's options cost the same: only what they lose tells them apart.
TEST(Dnas, ChoosesAmongOptionsThatCostTheSame) {
  PricedSpace::Prices prices = Planted::drawn(5, true);
  prices[1] = {2, 2, 2};
  const PricedSpace space{prices};
  for (const char* const how :
       {"constraint: masked", "constraint: soft_log", "constraint: lagrangian",
        "mixture: soft, constraint: soft_log", "mixture: soft, constraint: lagrangian"}) {
    Planted planted{space, optimum_of(space, Planted::drawn(5, false), 0.5).most_ms, 5};
    planted.losses[1] = {0.3, 0.1, 0.3};
    const Problem problem = planted.problem();
    const SearchResult result =
        dnas(std::string{"{epochs: 10, warm_up: 0, "} + how + "}")->search(problem, planted);
    ASSERT_TRUE(result.best && result.best->is_feasible()) << how;
    EXPECT_EQ(result.best->genotype[1], 1) << how;
  }
}

/// By epoch, of a search for whose networks nothing is lost by waiting.
Course course_of(const std::string& yaml, NamedNumbers* kept = nullptr) {
  const PricedSpace space{Planted::drawn(6, true)};
  Planted planted{space, 8, 6};
  planted.kept = kept;
  const Problem problem = planted.problem();
  return dnas(yaml)->search(problem, planted).course;
}

double in_course(const Course& course, int epoch, const std::string& column) {
  const auto place = std::ranges::find(course.columns, column) - course.columns.begin();
  return course.rows.at(static_cast<std::size_t>(epoch)).at(static_cast<std::size_t>(place));
}

TEST(Dnas, CoolsByTheShareOfTheSearchThatIsOver) {
  // Two epochs of warm-up, of ten.
  const Course course =
      course_of("{epochs: 10, warm_up: 0.2, temperature: 4, last_temperature: 1}");
  const auto temperature = [&](int epoch) { return in_course(course, epoch, "temperature"); };
  EXPECT_NEAR(temperature(0), 4, 1e-9);
  EXPECT_NEAR(temperature(1), 4, 1e-9) << "0 %";
  EXPECT_NEAR(temperature(5), 2, 1e-9) << "50 %: by one factor a step";
  EXPECT_NEAR(temperature(9), 1, 1e-9) << "100 %";
  const Course early =
      course_of("{epochs: 10, warm_up: 0.2, temperature: 4, last_temperature: 1, cooling: 0.5}");
  EXPECT_NEAR(in_course(early, 5, "temperature"), 1, 1e-9);
  EXPECT_NEAR(in_course(early, 9, "temperature"), 1, 1e-9);
}

TEST(Dnas, LearnsLogitsBehindTheWarmUp) {
  const Course course = course_of("{epochs: 8, warm_up: 0.25}");
  ASSERT_EQ(course.rows.size(), 8U);
  for (int epoch = 0; epoch < 8; ++epoch) {
    EXPECT_EQ(std::isfinite(in_course(course, epoch, "validation_loss")), epoch >= 2) << epoch;
    EXPECT_EQ(in_course(course, epoch, "entropy") < 1 - 1e-9, epoch >= 2) << epoch;
    EXPECT_TRUE(std::isfinite(in_course(course, epoch, "loss"))) << epoch;
    const double expected = in_course(course, epoch, "latency_ms");
    EXPECT_GT(expected, 0) << epoch;
    EXPECT_LE(expected, 8) << epoch << ": nothing is drawn that breaks the limit";
  }
  NamedNumbers kept;
  course_of("{epochs: 3, warm_up: 1}", &kept);
  EXPECT_THAT(kept.at("logits"), ::testing::Each(0));
}

TEST(Dnas, HasNoTemperatureAtWhichNothingMoves) {
  EXPECT_THROW(dnas("{temperature: 1e-5}"), Error);
  EXPECT_THROW(dnas("{last_temperature: 0.01}"), Error);
  // At the lowest there is, logits still move in the last epoch.
  for (const char* const how : {"", ", mixture: soft, constraint: soft_log"}) {
    const Course course =
        course_of(std::string{"{epochs: 4, warm_up: 0, temperature: 0.05, last_temperature: 0.05"} +
                  how + "}");
    EXPECT_GT(std::abs(in_course(course, 3, "entropy") - in_course(course, 2, "entropy")), 1e-6)
        << how;
  }
}

/// The parameters of `profile: paper`, for so many epochs.
std::string of_the_paper(int epochs) {
  PluginLoader loader = testing::plugins();
  Diagnostics problems;
  for (const auto& [name, yaml] : loader.find(Searcher::kKind, "dnas", {}, problems)->profiles) {
    if (name != "paper") continue;
    const std::string published = "epochs: 100";
    std::string made = yaml;
    return made.replace(made.find(published), published.size(),
                        "epochs: " + std::to_string(epochs));
  }
  throw Error{"dnas has no profile 'paper'"};
}

TEST(Dnas, SearchesAsInThePaper) {
  const std::string profile = of_the_paper(100);
  for (const char* const setting :
       {"mixture: soft", "constraint: soft_log", "optimiser: sgd", "learning_rate: 0.36",
        "weight_learning_rate: 0.001", "warm_up: 0", "draws: 1", "finalists: 1"})
    EXPECT_THAT(profile, ::testing::HasSubstr(setting));

  const PricedSpace space{Planted::drawn(1, true)};
  const Optimum optimum = optimum_of(space, Planted::drawn(1, false), 0.5);
  Planted planted{space, optimum.most_ms, 1};
  const Problem problem = planted.problem();
  const SearchResult result = dnas(of_the_paper(30))->search(problem, planted);
  ASSERT_TRUE(result.best && result.best->is_feasible());
  EXPECT_THAT(result.remarks, ::testing::Contains(::testing::HasSubstr("the likeliest network")));
  EXPECT_LT(in_course(result.course, 29, "entropy"), 0.5);
  // Theirs falls by 0.995 with each of 11,000 steps, here along the same way: but not below where
  // logits still move.
  const auto temperature = [&](int epoch) {
    return in_course(result.course, epoch, "temperature");
  };
  EXPECT_NEAR(std::log(temperature(0)), std::log(0.995) * 11'000 / 30, 0.1);
  EXPECT_NEAR(temperature(29), 0.05, 1e-9);
}

/// The penalty gets hold of a limit that losses pull away from.
TEST(Dnas, GetsBelowALimitByDualAscent) {
  for (const char* const mixture : {"drawn", "soft"}) {
    const Course course = course_of(
        "{epochs: 40, warm_up: 0, constraint: lagrangian, mixture: " + std::string{mixture} + "}");
    EXPECT_GT(in_course(course, 0, "latency_ms"), 8) << mixture;
    EXPECT_LE(in_course(course, 39, "latency_ms"), 8 * 1.05) << mixture;
    EXPECT_GE(in_course(course, 39, "latency_ms"), 8 * 0.6) << mixture << ": not far below it";
  }
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

/// What is looked at near the best would all be one network in two, or nearly.
TEST(Dnas, TriesNetworksThatAreUnlike) {
  const PricedSpace space{Planted::drawn(1, true)};
  Planted planted{space, 1e9, 1};
  const Problem problem = planted.problem();
  dnas("{epochs: 5, warm_up: 0, trials: 4}")->search(problem, planted);
  ASSERT_EQ(planted.tried.size(), 4U);
  for (const Genotype& one : planted.tried)
    for (const Genotype& other : planted.tried) {
      int differs = 0;
      for (std::size_t i = 0; i < one.size(); ++i) differs += one[i] != other[i] ? 1 : 0;
      EXPECT_TRUE(differs == 0 ? &one == &other : differs > 2) << differs;
    }
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
