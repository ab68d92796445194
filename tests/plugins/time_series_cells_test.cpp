// Cells for time series against the paper's tables and a count by hand.

#include <cmath>
#include <string>

#include <gmock/gmock.h>

#include <support/world.hpp>
#include <thimble/core/random.hpp>
#include <thimble/graph/counts.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/search_space.hpp>

namespace thimble::time_series_cells_test {
namespace {

std::unique_ptr<SearchSpace> space(const std::string& yaml) {
  static PluginLoader loader = testing::plugins();
  return testing::make<SearchSpace>(loader, "time_series_cells", yaml);
}

/// How many decisions have names that begin and end so.
std::int64_t count(const SearchSpace& space, const std::string& begin, const std::string& end) {
  return std::ranges::count_if(space.decisions(), [&](const Decision& decision) {
    return decision.name.starts_with(begin) && decision.name.ends_with(end);
  });
}

TEST(TimeSeriesCells, AreAsManyAsPublished) {
  // 128 x 9, UCI-HAR, and 64 x 30, Skoda.
  const auto har = space("{}");
  EXPECT_EQ(count(*har, "reduce", "_kernel"), 3);
  EXPECT_EQ(count(*har, "fuse", "_bottleneck"), 1 * (1 + 2));
  const auto skoda = space("{steps: 64, sensors: 30, classes: 10}");
  EXPECT_EQ(count(*skoda, "reduce", "_kernel"), 2);
  EXPECT_EQ(count(*skoda, "fuse", "_bottleneck"), 2 * (1 + 2));
  for (const auto* const made : {har.get(), skoda.get()}) {
    double size = 1;
    for (const Decision& decision : made->decisions()) size *= double(decision.options.size());
    EXPECT_GE(std::round(std::log10(size)), 13);
    EXPECT_LE(std::round(std::log10(size)), 22);
  }
}

TEST(TimeSeriesCells, HaveThePublishedWidths) {
  for (const Decision& decision : space("{}")->decisions()) {
    if (decision.name == "reduce0_width") {
      EXPECT_THAT(decision.options, ::testing::ElementsAre("4", "8", "12", "16"));
    }
    if (decision.name == "fuse1_width") {
      EXPECT_THAT(decision.options,
                  ::testing::ElementsAre("8", "16", "24", "32", "40", "48", "56", "64"));
    }
  }
}

constexpr const char* kSmall =
    "reduce0_kernel=3,reduce0_width=4,reduce1_kernel=5,reduce1_width=8,reduce2_kernel=7,"
    "reduce2_width=12,fuse0_bottleneck=16,fuse0_conv3=on,fuse0_conv5=off,fuse0_conv7=on,"
    "fuse0_residual=on,fuse0_width=24,fuse1=skip,fuse1_bottleneck=8,fuse1_conv3=off,"
    "fuse1_conv5=off,fuse1_conv7=off,fuse1_residual=off,fuse1_width=8,fuse2=cell,"
    "fuse2_bottleneck=8,fuse2_conv3=off,fuse2_conv5=on,fuse2_conv7=off,fuse2_residual=off,"
    "fuse2_width=40";

TEST(TimeSeriesCells, CostWhatACountByHandSays) {
  const auto made = space("{}");
  const std::int64_t by_hand = 64 * 9 * 3 * 4 + 32 * 9 * 5 * 4 * 8 + 16 * 9 * 7 * 8 * 12 +
                               16 * 5 * (9 * 12 * 16 + (3 + 7) * 16 * 24 + 12 * 24) +
                               16 * 5 * (5 * 24 * 8 + 5 * 8 * 40) + (40 * 6 + 6);
  EXPECT_EQ(macs(live(made->build(made->decode(kSmall)))), by_hand);
  EXPECT_EQ(made->encode(made->decode(kSmall)), kSmall);
}

TEST(TimeSeriesCells, AllCanBeBuiltForAnyData) {
  for (const char* const yaml :
       {"{}", "{steps: 2, sensors: 1, classes: 2}", "{steps: 151, sensors: 3, classes: 4}",
        "{steps: 500, sensors: 8, classes: 20, fusions: 0}", "{norm: paper, head_relu: true}",
        "{sensors: 64, steps: 17, classes: 3, least_sensors: 1, fusion_widths: 1}"}) {
    const auto made = space(yaml);
    Random random{1};
    const Shape in = made->supernet()->node(0).shape;
    const Node& out = made->supernet()->node(made->supernet()->output());
    for (int i = 0; i < 200; ++i) {
      const Genotype genotype = random_genotype(made->decisions(), random);
      const Graph graph = made->build(genotype);
      EXPECT_FALSE(graph.is_supernet());
      EXPECT_EQ(graph.node(0).shape, in) << yaml;
      EXPECT_EQ(graph.node(graph.output()).shape, out.shape) << yaml;
      const Graph same = made->build(made->canonical(genotype));
      ASSERT_EQ(is_connected(graph), is_connected(same));
      if (!is_connected(graph)) continue;
      EXPECT_EQ(macs(live(graph)), macs(live(same)));
    }
  }
}

}  // namespace
}  // namespace thimble::time_series_cells_test
