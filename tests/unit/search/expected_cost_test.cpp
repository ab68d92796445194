#include <algorithm>
#include <cmath>
#include <string>

#include <gtest/gtest.h>

#include <thimble/core/error.hpp>
#include <thimble/core/random.hpp>
#include <thimble/search/expected_cost.hpp>

namespace thimble::expected_cost_test {
namespace {

/// Options cost what the table says, all together; the first of both decisions is `none`: a network
/// of two of these, or one that is not known, is disconnected.
class Priced final : public Evaluator {
 public:
  Evaluation cost(const Genotype& genotype) const override {
    ++asked;
    constexpr double kPrices[2][3] = {{0, 1, 3}, {0, 10, 30}};
    Evaluation made;
    made.genotype = genotype;
    made.text = std::to_string(genotype[0]) + " " + std::to_string(genotype[1]);
    made.has_cost = !(genotype[0] == 0 && (genotype[1] == 0 || is_second_needed));
    if (!made.has_cost) made.invalid = "disconnected";
    for (std::size_t i = 0; i < 2; ++i)
      made.cost.latency_ms.value += kPrices[i][static_cast<std::size_t>(genotype[i])];
    made.violation = std::max(0.0, made.cost.latency_ms.value - most);
    return made;
  }
  std::vector<Evaluation> evaluate(std::span<const Genotype>) override { return {}; }
  std::vector<Evaluation> evaluate_supernets(std::span<const AliveOptions>) override { return {}; }
  const ProxyValue* proxy(const Evaluation&, std::string_view) const override { return nullptr; }
  void log(const std::string&) override {}
  void expect(std::int64_t) override {}

  double most = 1000;
  bool is_second_needed = false;
  mutable int asked = 0;
};

const AliveOptions kAll{0b111, 0b111};

TEST(ExpectedCost, IsThatOfAUniformDraw) {
  const Priced priced;
  Witnesses networks{priced, 100};
  const ExpectedCost expected{"latency_ms", kAll, {1, 1}, networks};
  EXPECT_DOUBLE_EQ(expected.of({0b110, 0b110}), 2 + 20);
  EXPECT_DOUBLE_EQ(expected.of({0b010, 0b100}), 1 + 30);
  const double start = (0 + 1 + 3) / 3.0 + (0 + 10 + 30) / 3.0;
  EXPECT_DOUBLE_EQ(expected.of(kAll), start);
  EXPECT_NEAR(expected.gain(kAll, 1, 2), (40 / 3.0 - 5) / start, 1e-12);
}

/// From the first option everywhere, where nothing has a cost, it would know nothing.
TEST(ExpectedCost, NeedsAReferenceThatHasACost) {
  const Priced priced;
  Witnesses networks{priced, 100};
  EXPECT_THROW((ExpectedCost{"latency_ms", kAll, {0, 0}, networks}), Error);
  const ExpectedCost expected{"latency_ms", kAll, networks.best_in(kAll).genotype, networks};
  EXPECT_GT(expected.gain(kAll, 0, 2), 0);
  EXPECT_LT(expected.gain(kAll, 1, 0), 0) << "the cheap one goes";
}

TEST(ExpectedCost, LetsWhatIsUnknownSpeakForNothing) {
  Priced priced;
  priced.is_second_needed = true;
  Witnesses networks{priced, 100};
  const ExpectedCost expected{"latency_ms", kAll, {1, 1}, networks};
  EXPECT_DOUBLE_EQ(expected.of({0b111, 0b010}), 2 + 10) << "a mean over those that have one";
  EXPECT_EQ(expected.gain(kAll, 0, 0), 0);
  EXPECT_GT(expected.gain(kAll, 0, 2), 0);
  EXPECT_EQ(expected.gain({0b011, 0b111}, 0, 1), 0) << "nothing would be known any more";
}

/// Parts multiply, as channels do.
class Multiplied final : public Evaluator {
 public:
  static double price(std::size_t i, double option) {
    constexpr double kPrices[3][3] = {{1, 2, 5}, {3, 4, 7}, {1, 6, 2}};
    return kPrices[i][static_cast<std::size_t>(option)];
  }
  Evaluation cost(const Genotype& genotype) const override {
    Evaluation made;
    made.genotype = genotype;
    made.has_cost = true;
    made.cost.latency_ms.value = price(0, genotype[0]) * price(1, genotype[1]);
    // A peak, as of memory.
    made.cost.ram_bytes.value =
        (100 * std::max(made.cost.latency_ms.value, price(1, genotype[1]) * price(2, genotype[2])));
    return made;
  }
  std::vector<Evaluation> evaluate(std::span<const Genotype>) override { return {}; }
  std::vector<Evaluation> evaluate_supernets(std::span<const AliveOptions>) override { return {}; }
  const ProxyValue* proxy(const Evaluation&, std::string_view) const override { return nullptr; }
  void log(const std::string&) override {}
  void expect(std::int64_t) override {}
};

const OptionNumbers kShares{{0.2, 0.5, 0.3}, {0.6, 0.1, 0.3}, {0.25, 0.25, 0.5}};

/// Of all 27 networks, by their probability.
double enumerated(const Multiplied& priced, const std::string& metric,
                  const OptionNumbers& shares) {
  double sum = 0;
  for (int i = 0; i < 27; ++i) {
    const Genotype network{static_cast<double>(i / 9), static_cast<double>(i / 3 % 3),
                           static_cast<double>(i % 3)};
    double share = 1;
    for (std::size_t d = 0; d < 3; ++d) share *= shares[d][static_cast<std::size_t>(network[d])];
    sum += share * cost_metric(priced.cost(network), metric);
  }
  return sum;
}

TEST(ExpectedCost, IsThatOfDrawnNetworksWhateverTheMetric) {
  const Multiplied priced;
  for (const std::string metric : {"latency_ms", "ram_bytes"}) {
    Witnesses networks{priced, 0};
    Random random{1};
    std::vector<Genotype> drawn;
    for (int i = 0; i < 200'000; ++i) {
      Genotype& network = drawn.emplace_back();
      for (const auto& own : kShares) {
        const double u = random.uniform();
        network.push_back(u < own[0] ? 0 : u < own[0] + own[1] ? 1 : 2);
      }
    }
    const CostSlope found = expected_cost(metric, kShares, drawn, networks);
    EXPECT_NEAR(found.cost / enumerated(priced, metric, kShares), 1, 0.01) << metric;
    // From one option to another, the others as they are.
    for (std::size_t d = 0; d < 3; ++d)
      for (std::size_t k = 1; k < 3; ++k) {
        OptionNumbers moved = kShares;
        moved[d][k] += 0.1;
        moved[d][0] -= 0.1;
        const double change =
            enumerated(priced, metric, moved) - enumerated(priced, metric, kShares);
        const double told = 0.1 * (found.by_share[d][k] - found.by_share[d][0]);
        EXPECT_NEAR(told, change, 0.02 * std::abs(change) + 0.002 * found.cost) << metric << d << k;
      }
  }
}

TEST(ExpectedCost, OfOneNetworkIsExact) {
  const Multiplied priced;
  Witnesses networks{priced, 0};
  const OptionNumbers one_hot{{0, 1, 0}, {0, 0, 1}, {1, 0, 0}};
  const std::vector<Genotype> drawn{{1, 2, 0}};
  for (const std::string metric : {"latency_ms", "ram_bytes"})
    EXPECT_DOUBLE_EQ(expected_cost(metric, one_hot, drawn, networks).cost,
                     cost_metric(priced.cost(drawn[0]), metric));
}

TEST(ExpectedCost, HasTheSlopeOfFiniteDifferences) {
  const Multiplied priced;
  Witnesses networks{priced, 0};
  const std::vector<Genotype> drawn{{1, 2, 0}, {0, 1, 2}, {2, 2, 1}};
  for (const std::string metric : {"latency_ms", "ram_bytes"}) {
    const CostSlope at = expected_cost(metric, kShares, drawn, networks);
    for (std::size_t d = 0; d < 3; ++d)
      for (std::size_t k = 0; k < 3; ++k) {
        constexpr double kStep = 1e-5;
        OptionNumbers more = kShares, less = kShares;
        more[d][k] += kStep;
        less[d][k] -= kStep;
        const double slope = (expected_cost(metric, more, drawn, networks).cost -
                              expected_cost(metric, less, drawn, networks).cost) /
                             (2 * kStep);
        EXPECT_NEAR(at.by_share[d][k], slope, 1e-4 * std::abs(slope) + 1e-6) << metric << d << k;
      }
  }
}

TEST(Witnesses, FindWhatKeepsTheLimitsOrTheNearest) {
  Priced priced;
  priced.most = 13;
  Witnesses networks{priced, 100};
  EXPECT_TRUE(networks.best_in(kAll).is_feasible());
  EXPECT_TRUE(networks.best_in({0b110, 0b110}).is_feasible());
  const Evaluation& nearest = networks.best_in({0b110, 0b100});
  EXPECT_EQ(nearest.genotype, (Genotype{1, 2}));
  EXPECT_DOUBLE_EQ(nearest.violation, 31 - 13);
  EXPECT_EQ(networks_in(kAll), 9);
  EXPECT_LE(priced.asked, 9) << "each is looked at once";
}

}  // namespace
}  // namespace thimble::expected_cost_test
