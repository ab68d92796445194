#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include <thimble/core/error.hpp>
#include <thimble/search/expected_cost.hpp>

namespace thimble {
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
}  // namespace thimble
