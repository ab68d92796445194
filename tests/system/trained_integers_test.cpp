// A network that was pruned and learned as integers on real data computes the same on each of its
// ways: simulated, in the reference, as C on this machine and in the emulator; and nearly so in
// ONNX Runtime.

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <support/commands.hpp>
#include <support/comparison.hpp>
#include <support/integers.hpp>
#include <support/on_core.hpp>
#include <support/onnx_runtime.hpp>
#include <support/self_test.hpp>
#include <support/world.hpp>
#include <thimble/dataset.hpp>
#include <thimble/graph/counts.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/nn/threads.hpp>
#include <thimble/run/recorded_network.hpp>
#include <thimble/search_space.hpp>
#include <thimble/train/learner.hpp>
#include <thimble/train/trained_network.hpp>

#include <ATen/ATen.h>

namespace thimble::trained_integers_test {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kBatch = 64;
constexpr std::int64_t kImages = 32;

/// An epoch of integers is 114 steps.
constexpr const char* kExperiment = R"(
name: har
search_space: { use: zoo, networks: [cnn_1d] }
dataset: { use: uci_har }
hardware: { use: analytic, board: nucleo_f746zg }
objectives: [{ minimize: latency_ms }]
searcher: { use: exhaustive }
train:
  epochs: 3
  batch: 64
  seeds: [1]
  prune: { sparsity: 0.5, whole: false }
  quantise: { method: qat, epochs: 1 }
)";

/// Trained and deployed once for all tests.
struct Har {
  Har() {
    use_single_threaded_math();  // commands are forks of this process
    std::ofstream{here.path() / "har.yaml"} << kExperiment;
    const std::string data = fmt::format(" --data '{}'", testing::test_data().string());
    ran = testing::thimble_command("run har.yaml --quiet" + data, here.path());
    if (ran.code != 0) return;
    run = here.path() / testing::last_line(ran);
    deployed = testing::thimble_command(
        fmt::format("deploy '{}' --network 1 --output c{}", run.string(), data), here.path());
    PluginLoader loader = testing::plugins(testing::test_data());
    const auto space = testing::make<SearchSpace>(loader, "zoo", "{networks: [cnn_1d]}");
    whole = live(space->build(space->decode(find_network(run, 1).arch)));
    trained.emplace(read_trained(whole, run / "weights" / "1-1.safetensors"));
    integers.emplace(lower_folded(trained->board->real));
    const auto dataset = testing::make<Dataset>(loader, "uci_har");
    info = dataset->describe();
    std::vector<std::int64_t> places;
    for (std::int64_t i = 0; i < kImages; ++i) places.push_back(i * info.test_samples / kImages);
    images = dataset->batch(Split::test, places).images;
  }

  TemporaryFolder here;
  testing::Finished ran, deployed;
  fs::path run;
  Graph whole;
  std::optional<TrainedNetwork> trained;
  std::optional<IntegerNetwork> integers;
  DatasetInfo info;
  at::Tensor images;
};

const Har& har() {
  static const Har made;
  return made;
}

/// Each sample runs through a network of its own name, tensor by tensor.
const test::Comparison& program() {
  static const auto made = [] {
    constexpr std::int64_t kRuns = 4;
    test::Comparison all;
    Int8Network network = har().integers->network();
    for (std::int64_t i = 0; i < kRuns; ++i) {
      network.name = fmt::format("har{}", i);
      all.add(network, quantised(har().images[i], network.tensor(0).quantisation));
    }
    return all;
  }();
  return made;
}

class TrainedIntegers : public ::testing::Test {
 protected:
  void SetUp() override {
    THIMBLE_NEEDS_DATA("uci_har");
    ASSERT_EQ(har().ran.code, 0) << har().ran.errors;
  }
};

TEST_F(TrainedIntegers, ArePrunedAndHaveLearned) {
  EXPECT_LT(params(har().trained->network.graph()), params(har().whole) / 2);
  EXPECT_EQ(har().trained->board->learned.epochs.size(), 1U);
  EXPECT_GE(har().info.train_samples / kBatch, 50);
  EXPECT_GT(har().trained->board->learned.metrics.at(0), 70) << "it is no network of chance";
}

TEST_F(TrainedIntegers, AreTheReferenceInEveryTensor) {
  test::expect_reference(*har().integers, har().images);
}

TEST_F(TrainedIntegers, AreTheReferenceAsCInEveryTensor) {
  program().expect_equal(test::kPortable);
  program().expect_equal(test::kDsp);
}

TEST_F(TrainedIntegers, AreDeployedAsTheyAre) {
  ASSERT_EQ(har().deployed.code, 0) << har().deployed.errors;
  test::expect_self_test_passes(har().here.path() / "c", "network");
}

/// As near to the float network as the reference is, as docs/export.md has it.
TEST_F(TrainedIntegers, AreNearlyTheReferenceInOnnxRuntime) {
  THIMBLE_NEEDS_ONNX_RUNTIME();
  const auto bytes = [](const at::Tensor& values) {
    return std::string{static_cast<const char*>(values.data_ptr()), values.nbytes()};
  };
  const at::Tensor images = har().images.contiguous();
  const std::string found = test::run_onnx(read_file(har().here.path() / "c" / "network_int8.onnx"),
                                           kImages, bytes(images));
  const at::Tensor reference = har().integers->forward(images);
  at::Tensor exported = at::empty_like(reference);
  ASSERT_EQ(found.size(), exported.nbytes());
  std::memcpy(exported.data_ptr(), found.data(), found.size());
  const at::Tensor truth = network_of(har().trained->board->real).forward(images);
  EXPECT_LT((exported - truth).norm().item<double>(),
            1.2 * (reference - truth).norm().item<double>());
  EXPECT_GE(exported.argmax(1).eq(reference.argmax(1)).sum().item<std::int64_t>(), kImages - 1);
}

class TrainedIntegersOnCore : public test::OnCore {
 protected:
  void SetUp() override {
    THIMBLE_NEEDS_DATA("uci_har");
    OnCore::SetUp();
    ASSERT_EQ(har().ran.code, 0) << har().ran.errors;
  }
};

TEST_P(TrainedIntegersOnCore, AreTheReferenceInEveryTensor) { program().expect_equal(GetParam()); }

INSTANTIATE_TEST_SUITE_P(Cores, TrainedIntegersOnCore, ::testing::ValuesIn(kCores),
                         test::core_name);

}  // namespace
}  // namespace thimble::trained_integers_test
