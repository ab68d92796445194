#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <thimble/core/error.hpp>
#include <thimble/space/search_space.hpp>

namespace thimble::space_test {
namespace {

Decision one_of(const std::string& name, std::vector<std::string> options) {
  Decision decision;
  decision.name = name;
  decision.options = std::move(options);
  return decision;
}

Decision number(const std::string& name, Decision::Type type, double least, double most) {
  Decision decision;
  decision.name = name;
  decision.type = type;
  decision.least = least;
  decision.most = most;
  return decision;
}

const std::vector<Decision> kFinite{one_of("op", {"a", "b", "c"}),
                                    number("width", Decision::Type::integer, -1, 2),
                                    one_of("skip", {"no", "yes"})};

/// Two choices, one inside an option of the other.
class Nested final : public SearchSpace {
 public:
  Nested() {
    const NodeId x = graph_.input({4, 8, 8});
    graph_.choice("outer", {{"skip", [&] { return x; }},
                            {"conv", [&] {
                               return graph_.choice(
                                   "inner", {{"one", [&] { return graph_.conv(x, {.out = 4}); }},
                                             {"relu", [&] { return graph_.relu(x); }}});
                             }}});
  }
  const Graph* supernet() const override { return &graph_; }

 private:
  Graph graph_;
};

class Plain final : public SearchSpace {
 public:
  std::vector<Decision> decisions() const override {
    auto all = kFinite;
    all.push_back(number("rate", Decision::Type::continuous, 0, 1));
    return all;
  }
};

std::string message_of(const SearchSpace& space, const std::string& text) {
  try {
    space.decode(text);
  } catch (const Error& error) {
    return error.diagnostics()[0].message;
  }
  return "no problem";
}

TEST(Decision, KnowsItsFirstAndLastValueOfWhateverType) {
  EXPECT_EQ(one_of("op", {"a", "b", "c"}).first(), 0);
  EXPECT_EQ(one_of("op", {"a", "b", "c"}).last(), 2);
  EXPECT_EQ(number("width", Decision::Type::integer, -1, 2).first(), -1);
  EXPECT_EQ(number("rate", Decision::Type::continuous, 0, 0.5).last(), 0.5);
}

TEST(Decision, CountsTheValuesOfAResolution) {
  Decision share = number("share", Decision::Type::continuous, 0.25, 0.9);
  EXPECT_TRUE(share.is_dense());
  EXPECT_EQ(share.nearest(1.0 / 3), 1.0 / 3);
  share.resolution = 100;
  EXPECT_FALSE(share.is_dense());
  ASSERT_EQ(share.values(), 66U);
  for (std::uint64_t i = 0; i < share.values(); ++i)
    EXPECT_EQ(share.value_at(i), static_cast<double>(25 + i) / 100);
  EXPECT_EQ(share.nearest(1.0 / 3), 0.33);
  EXPECT_EQ(share.nearest(0), 0.25);
  EXPECT_EQ(share.nearest(7), 0.9);
  EXPECT_EQ(space_size({share}), 66U);
  Random random{1};
  std::set<Genotype> seen;
  for (int i = 0; i < 2000; ++i) seen.insert(random_genotype({share}, random));
  EXPECT_EQ(seen.size(), 66U);
}

TEST(SpaceSize, IsTheProductOfTheValues) {
  EXPECT_EQ(space_size(kFinite), 24U);
  EXPECT_EQ(space_size({}), 1U);
  EXPECT_EQ(space_size({number("x", Decision::Type::continuous, 0, 1)}), std::nullopt);
  EXPECT_EQ(space_size(std::vector<Decision>(62, one_of("x", {"a", "b"}))), std::uint64_t{1} << 62);
  EXPECT_EQ(space_size(std::vector<Decision>(63, one_of("x", {"a", "b"}))), std::nullopt);
}

TEST(GenotypeAt, CountsThroughTheSpaceWithTheLastDecisionFastest) {
  EXPECT_EQ(genotype_at(kFinite, 0), (Genotype{0, -1, 0}));
  EXPECT_EQ(genotype_at(kFinite, 1), (Genotype{0, -1, 1}));
  EXPECT_EQ(genotype_at(kFinite, 2), (Genotype{0, 0, 0}));
  EXPECT_EQ(genotype_at(kFinite, 23), (Genotype{2, 2, 1}));
  std::set<Genotype> all;
  for (std::uint64_t i = 0; i < 24; ++i) all.insert(genotype_at(kFinite, i));
  EXPECT_EQ(all.size(), 24U);
}

TEST(RandomGenotype, ReachesEveryNetworkAndStaysInside) {
  Random random{1};
  std::set<Genotype> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(random_genotype(kFinite, random));
  EXPECT_EQ(seen.size(), 24U);
  double least = 9, most = -9;
  for (int i = 0; i < 1000; ++i) {
    const double drawn =
        random_genotype({number("x", Decision::Type::continuous, -2, 3)}, random)[0];
    least = std::min(least, drawn);
    most = std::max(most, drawn);
  }
  EXPECT_GE(least, -2);
  EXPECT_LE(most, 3);
  EXPECT_LT(least, -1.9);
  EXPECT_GT(most, 2.9);
}

TEST(SearchSpace, TakesItsDecisionsFromItsSupernet) {
  const Nested space;
  const auto decisions = space.decisions();
  ASSERT_EQ(decisions.size(), 2U);
  EXPECT_EQ(decisions[0].name, "outer");
  EXPECT_EQ(decisions[0].options, (std::vector<std::string>{"skip", "conv"}));
  EXPECT_EQ(decisions[1].name, "inner");
}

TEST(SearchSpace, BuildsTheNetworkOfAGenotype) {
  const Nested space;
  EXPECT_EQ(space.build({0, 0}).size(), 1);
  const Graph conv = space.build({1, 0});
  EXPECT_EQ(conv.node(conv.output()).op, Op::conv);
  const Graph relu = space.build({1, 1});
  EXPECT_EQ(relu.node(relu.output()).op, Op::relu);
}

TEST(SearchSpace, ReadsWhatItWrites) {
  const Nested space;
  EXPECT_EQ(space.encode({1, 0}), "outer=conv,inner=one");
  for (std::uint64_t i = 0; i < 4; ++i) {
    const Genotype genotype = genotype_at(space.decisions(), i);
    EXPECT_EQ(space.decode(space.encode(genotype)), genotype);
    EXPECT_EQ(space.canonical(genotype), genotype);
  }
  const Plain plain;
  Random random{2};
  for (int i = 0; i < 500; ++i) {
    const Genotype genotype = random_genotype(plain.decisions(), random);
    EXPECT_EQ(plain.decode(plain.encode(genotype)), genotype) << "doubles too, exactly";
  }
}

TEST(SearchSpace, NamesTheWordItCannotRead) {
  const Plain space;
  EXPECT_EQ(message_of(space, "op=a,width=1,skip=no,rate=0.5"), "no problem");
  EXPECT_EQ(message_of(space, " op=a, width=1 ,skip=no, rate=0.5 "), "no problem");
  EXPECT_EQ(message_of(space, "op=a"), "'op=a' has 1 parts, not 4");
  EXPECT_EQ(message_of(space, "op=d,width=1,skip=no,rate=0"), "'op' has no option 'd'");
  EXPECT_EQ(message_of(space, "op=a,width=1,skip=yse,rate=0"),
            "'skip' has no option 'yse'; did you mean 'yes'?");
  EXPECT_EQ(message_of(space, "op=a,width=3,skip=no,rate=0"), "'width' cannot be '3'");
  EXPECT_EQ(message_of(space, "op=a,width=1.5,skip=no,rate=0"), "'width' cannot be '1.5'");
  EXPECT_EQ(message_of(space, "op=a,width=1,skip=no,rate=-0.1"), "'rate' cannot be '-0.1'");
  EXPECT_EQ(message_of(space, "op=a,skip=no,width=1,rate=0"),
            "'skip=no' stands where 'width=...' should");
}

TEST(SearchSpace, SaysThatItLacksASupernetToBuildFrom) {
  EXPECT_THROW(Plain{}.build({0, 0, 0, 0}), Error);
}

}  // namespace
}  // namespace thimble::space_test
