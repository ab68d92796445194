// Searches in which networks learn, on data that say what is to be found.

#include <array>
#include <cmath>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include <support/datasets.hpp>
#include <support/training.hpp>
#include <support/world.hpp>
#include <thimble/experiment/load.hpp>
#include <thimble/hardware.hpp>
#include <thimble/search/scoring.hpp>
#include <thimble/search_space.hpp>
#include <thimble/searcher.hpp>

namespace thimble::dnas_on_data_test {
namespace {

/// Signs that come again behind six steps, or the other way round: no part of less than seven steps
/// tells which.
class Echoes final : public Dataset {
 public:
  static constexpr int kSamples = 512, kSteps = 32;

  explicit Echoes(std::uint64_t seed) {
    Random random = Random::stream(seed, {"echoes"});
    float* const x = x_.data_ptr<float>();
    for (int n = 0; n < kSamples; ++n)
      for (int t = 0; t < kSteps; ++t) {
        const int i = n * kSteps + t;
        x[i] = t < 6 ? (random.uniform() < 0.5 ? 1.F : -1.F) : (n % 2 == 0 ? x[i - 6] : -x[i - 6]);
      }
  }

  DatasetInfo describe() const override {
    return {.name = "echoes",
            .shape = {1, 1, kSteps},
            .medium = Medium::series,
            .classes = 2,
            .train_samples = kSamples,
            .test_samples = 0};
  }
  Samples batch(Split, std::span<const std::int64_t> places) const override {
    const at::Tensor which =
        at::tensor(std::vector<std::int64_t>{places.begin(), places.end()}, at::kLong);
    return {x_.index_select(0, which), which % 2};
  }

 private:
  at::Tensor x_ = at::zeros({kSamples, 1, 1, kSteps});
};

/// One convolution along the time and a mean: nothing sees more steps than its kernel has.
class OneLayer final : public SearchSpace {
 public:
  OneLayer() {
    const NodeId x = supernet_.input({1, 1, Echoes::kSteps});
    std::vector<Graph::Option> kernels;
    for (const int taps : {3, 5, 7})
      kernels.emplace_back(std::to_string(taps), [&, taps] {
        return supernet_.conv(x, {.out = 16, .kernel = {1, taps}, .padding = {0, taps / 2}});
      });
    const NodeId made = supernet_.relu(supernet_.batch_norm(supernet_.choice("kernel", kernels)));
    supernet_.linear(
        supernet_.global_avg_pool(supernet_.channels(made, "width", std::array{4, 8, 16})), 2);
  }
  const Graph* supernet() const override { return &supernet_; }

 private:
  Graph supernet_;
};

/// An experiment without a file.
struct Searching {
  Searching(std::unique_ptr<SearchSpace> searched, const Dataset& data, std::uint64_t seed)
      : space{std::move(searched)},
        hardware{testing::make<Hardware>(loader(), "analytic", "{board: nucleo_l552zeq}")} {
    setup.space = space.get();
    setup.hardware = hardware.get();
    setup.dataset = &data;
    setup.task = &task;
    setup.seed = seed;
  }
  /// What a point of an experiment's sweep says; the study outlives this.
  explicit Searching(const Study& study) {
    setup.space = study.space.get();
    setup.hardware = study.hardware.get();
    setup.dataset = study.dataset.get();
    setup.limits = study.limits;
    setup.task = &task;
    setup.seed = study.seed;
  }

  static PluginLoader& loader() {
    static PluginLoader made = testing::plugins();
    return made;
  }

  SearchResult search(const std::string& searcher, const std::string& yaml) {
    Scoring scoring{setup};
    const Problem problem{.space = *setup.space,
                          .decisions = setup.space->decisions(),
                          .objectives = {},
                          .limits = setup.limits,
                          .seed = setup.seed,
                          .budget = {}};
    return testing::make<Searcher>(loader(), searcher, yaml)->search(problem, scoring);
  }

  std::unique_ptr<SearchSpace> space;
  std::unique_ptr<Hardware> hardware;
  Telling task;
  ScoringSetup setup;
};

TEST(SearchesThatTrain, FindTheKernelThatAPatternNeeds) {
  for (const char* const how : {"{epochs: 30, trials: 1}",
                                "{epochs: 30, trials: 1, mixture: soft, constraint: soft_log}"}) {
    int hits = 0;
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      const Echoes data{seed};
      Searching world{std::make_unique<OneLayer>(), data, seed};
      const SearchResult found = world.search("dnas", how);
      ASSERT_TRUE(found.best);
      if (found.best->text.starts_with("kernel=7")) ++hits;
    }
    EXPECT_GE(hits, 9) << how;
  }
}

TEST(SearchesThatTrain, KeepALimitInASpaceOfImages) {
  const Pictures data{256, true, 1, {3, 32, 32}};
  Searching world{testing::make<SearchSpace>(Searching::loader(), "nasbench201",
                                             "{channels: 4, cells: 1, classes: 4}"),
                  data, 1};
  world.setup.limits = {{"macs", 600'000}};
  const SearchResult found = world.search("dnas", "{epochs: 6, trials: 2, finalists: 8}");
  ASSERT_TRUE(found.best);
  EXPECT_TRUE(found.best->is_feasible()) << found.best->text;
  EXPECT_THAT(found.remarks, ::testing::Contains(::testing::HasSubstr("trained alone")));
}

/// Experiment and description are the shipped ones, the data are generated: ten sorts of waves, as
/// Skoda's shape.
TEST(SearchesThatTrain, TakeWindowsOfSkodasShape) {
  constexpr int kWindows = 200, kSteps = 64, kSensors = 30, kGestures = 10;
  const TemporaryFolder folder;
  std::vector<float> x;
  std::vector<std::uint8_t> y;
  Random random{1};
  for (int n = 0; n < kWindows; ++n) {
    y.push_back(static_cast<std::uint8_t>(n % kGestures));
    for (int t = 0; t < kSteps; ++t)
      for (int s = 0; s < kSensors; ++s)
        x.push_back(
            static_cast<float>(std::sin(0.1 * t * (1 + y.back()) + s) + 0.3 * random.normal()));
  }
  testing::write(folder.path() / "skoda" / "X.npy",
                 testing::npy("<f4", "(200, 64, 30)", testing::bytes_of(x)));
  testing::write(folder.path() / "skoda" / "y.npy",
                 testing::npy("|u1", "(200,)", testing::bytes_of(y)));
  const auto shipped = std::filesystem::path{THIMBLE_TEST_SOURCE} / "experiments" / "micronas_ts";
  std::filesystem::copy_file(shipped / "data" / "skoda.yaml",
                             folder.path() / "skoda" / "skoda.yaml");
  PluginLoader loader = testing::plugins(folder.path());
  const std::string table = (shipped / "tables" / "m33_skoda.csv").string();
  const LoadedExperiment skoda = load_experiment(
      shipped / "skoda.yaml", {parse_override("hardware.tables=['" + table + "']")}, loader);
  ASSERT_EQ(skoda.studies.size(), 6U) << "dnas and random search, three seeds each";
  const Study& study = skoda.studies.front();
  EXPECT_EQ(study.dataset->describe().shape, (Shape{1, kSteps, kSensors}));
  EXPECT_EQ(study.dataset->describe().classes, kGestures);
  ASSERT_TRUE(study.train && study.searcher->needs_relaxation());
  Searching world{study};
  const auto found = world.search("dnas", "{epochs: 2, finalists: 4, trials: 1, warm_up: 0.5}");
  ASSERT_TRUE(found.best);
  EXPECT_TRUE(found.best->is_feasible());
  EXPECT_LE(cost_metric(*found.best, "latency_ms"), 100);
}

TEST(SearchesThatTrain, TakeTheBestOfRandomNetworksByWhatTheyLearn) {
  const Echoes data{1};
  Searching world{std::make_unique<OneLayer>(), data, 1};
  const auto found = world.search("random", "{samples: 6, trained: true}");
  ASSERT_TRUE(found.best);
  EXPECT_THAT(found.best->text, ::testing::StartsWith("kernel=7"));
  EXPECT_EQ(world.search("random", "{samples: 6, trained: true}").best->text, found.best->text);
}

}  // namespace
}  // namespace thimble::dnas_on_data_test
