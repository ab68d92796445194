// Proxies that look at the same thing see one network, and say what they would say alone.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thimble/core/error.hpp>
#include <thimble/core/random.hpp>
#include <thimble/core/stop.hpp>
#include <thimble/graph/counts.hpp>
#include <thimble/nn/input_source.hpp>
#include <thimble/nn/propagation/tensor.hpp>
#include <thimble/search/scoring.hpp>
#include <thimble/search/shared_pass.hpp>

namespace thimble {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Two widths to choose from.
class TwoWidths final : public SearchSpace {
 public:
  TwoWidths() {
    NodeId x = graph_.input({3, 8, 8});
    x = graph_.choice("width", {{"one", [&] { return block(x, 4); }},
                                {"two", [&] { return block(block(x, 6), 4); }}});
    graph_.set_output(graph_.linear(graph_.global_avg_pool(x), 2));
  }
  const Graph* supernet() const override { return &graph_; }

 private:
  NodeId block(NodeId x, int out) {
    return graph_.relu(
        graph_.batch_norm(graph_.conv(x, {.out = out, .kernel = {3, 3}, .padding = {1, 1}})));
  }
  Graph graph_;
};

class Noise : public Dataset {
 public:
  DatasetInfo describe() const override {
    return {.name = "noise", .shape = {3, 8, 8}, .classes = 2, .train_samples = 1000};
  }
  Samples batch(Split, std::span<const std::int64_t> indices) const override {
    std::vector<at::Tensor> images;
    for (const std::int64_t index : indices) {
      at::Tensor& image = images.emplace_back(at::empty({3, 8, 8}));
      Random random = Random::stream(static_cast<std::uint64_t>(index), {"image"});
      random.fill_normal({image.data_ptr<float>(), 192}, 1);
    }
    return {at::stack(images), at::tensor(at::IntArrayRef{indices.data(), indices.size()}) % 2};
  }
};

/// Counts who draws, and who draws at the same time: each waits a while for another.
class WatchedNoise final : public Noise {
 public:
  Samples batch(Split split, std::span<const std::int64_t> indices) const override {
    std::unique_lock lock{mutex_};
    ++draws_;
    most_at_once_ = std::max(most_at_once_, ++at_once_);
    changed_.notify_all();
    changed_.wait_for(lock, std::chrono::seconds{patience_s}, [&] { return most_at_once_ > 1; });
    --at_once_;
    return Noise::batch(split, indices);
  }
  int draws() const { return draws_; }
  int most_at_once() const { return most_at_once_; }

  int patience_s = 0;

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  mutable int draws_ = 0, at_once_ = 0, most_at_once_ = 0;
};

/// What was shown: the logits of every call, kept alive so that other ones lie elsewhere.
struct Seen {
  std::mutex mutex;
  std::vector<at::Tensor> logits;
  std::map<std::string, int> calls;
  std::map<std::string, std::vector<double>> images;  ///< their sums
  std::vector<std::int64_t> macs;

  std::size_t different_logits() const {
    std::set<const void*> places;
    for (const at::Tensor& tensor : logits) places.insert(tensor.data_ptr());
    return places.size();
  }
};

class Probe final : public Proxy {
 public:
  Probe(std::string name, Pass pass, Reads reads, Seen& seen)
      : name_{std::move(name)}, pass_{std::move(pass)}, reads_{reads}, seen_{seen} {}
  Direction direction() const override { return Direction::maximize; }
  Pass pass() const override { return pass_; }
  Reads reads() const override { return reads_; }
  double score(Observation& seen) const override {
    {
      const std::scoped_lock lock{seen_.mutex};
      seen_.logits.push_back(seen.forward().output(seen.graph().output()));
      ++seen_.calls[name_];
      seen_.macs.push_back(macs(seen.graph()));
      seen_.images[name_].push_back(seen.images().sum().item<double>());
    }
    double sum = 0;
    for (std::size_t j = 0; j < static_cast<std::size_t>(pass_.batches); ++j)
      sum +=
          seen.forward(j).output(seen.graph().output()).sum().item<double>() +
          (reads_.loss_gradients ? seen.loss_gradients(j).parameters[1].weight.sum().item<double>()
                                 : 0);
    if (name_ == "thrower") throw Error{"cannot say"};
    if (name_ == "stopped") throw Interrupted{"interrupted"};
    if (name_ == "greedy") throw std::bad_alloc{};
    if (name_ == "insatiable") at::empty({std::int64_t{1} << 56});
    if (name_ == "broken") throw std::runtime_error{"a bug"};
    return sum;
  }

 private:
  std::string name_;
  Pass pass_;
  Reads reads_;
  Seen& seen_;
};

class MemoryStore final : public ProxyStore {
 public:
  std::optional<ProxyValue> find(const std::string& candidate, const std::string& proxy) override {
    const std::scoped_lock lock{mutex_};
    const auto found = values_.find({candidate, proxy});
    return found == values_.end() ? std::nullopt : std::optional{found->second};
  }
  void put(const std::string& candidate, const std::string& proxy,
           const ProxyValue& value) override {
    const std::scoped_lock lock{mutex_};
    values_[{candidate, proxy}] = value;
  }

 private:
  std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, ProxyValue> values_;
};

class SharedPasses : public ::testing::Test {
 protected:
  const Proxy& add(const std::string& name, const Pass& pass, const Reads& reads = {}) {
    probes_.push_back(std::make_unique<Probe>(name, pass, reads, seen_));
    proxies_.push_back({name, "key of " + name, probes_.back().get(), &space_});
    return *probes_.back();
  }

  std::vector<Evaluation> evaluate(int jobs = 1) { return evaluate(proxies_, jobs); }

  std::vector<Evaluation> evaluate(std::vector<ScoredProxy> proxies, int jobs = 1) {
    ScoringSetup setup;
    setup.space = &space_;
    setup.dataset = dataset_;
    setup.proxies = std::move(proxies);
    setup.seed = 3;
    setup.jobs = jobs;
    setup.most_bytes = most_bytes_;
    setup.store = store_;
    Scoring scoring{setup};
    const std::vector<Genotype> both{{0}, {1}};
    return scoring.evaluate(both);
  }

  TwoWidths space_;
  Noise noise_;
  const Dataset* dataset_ = &noise_;
  Seen seen_;
  std::vector<std::unique_ptr<Probe>> probes_;
  std::vector<ScoredProxy> proxies_;
  std::int64_t most_bytes_ = std::int64_t{1} << 30;
  ProxyStore* store_ = nullptr;
};

TEST_F(SharedPasses, MergeWhatLooksAtTheSame) {
  add("a", {.batch = 8});
  add("b", {.batch = 8, .batches = 2}, {.loss_gradients = true});
  add("c", {.batch = 16});
  add("d", {.batch = 8, .repeats = 3});
  add("e", {.init = Init::standard_normal, .batch = 8});
  const auto passes = merge_passes(proxies_);
  ASSERT_EQ(passes.size(), 3U);
  EXPECT_THAT(passes[0].proxies, ElementsAre(0U, 1U, 3U));
  EXPECT_EQ(passes[0].pass.batches, 2);
  EXPECT_EQ(passes[0].pass.repeats, 3);
  EXPECT_TRUE(passes[0].reads.loss_gradients);
  EXPECT_THAT(passes[1].proxies, ElementsAre(2U));
  EXPECT_THAT(passes[2].proxies, ElementsAre(4U));
}

TEST_F(SharedPasses, DoNotMindWhatCannotMatter) {
  add("a", {.input = InputKind::normal, .augment = true, .fit = Fit::resize});
  add("b", {.input = InputKind::normal, .augment = false, .fit = Fit::crop});
  add("c", {.input = InputKind::normal, .fresh_weights = false});
  EXPECT_EQ(merge_passes(proxies_).size(), 1U);
  add("d", {.input = InputKind::normal, .repeats = 2, .fresh_weights = false});
  EXPECT_EQ(merge_passes(proxies_).size(), 2U);
}

TEST_F(SharedPasses, ShowOneNetworkToAll) {
  add("a", {.batch = 8});
  add("b", {.batch = 8});
  add("c", {.batch = 8, .repeats = 2});
  evaluate();
  EXPECT_EQ(seen_.calls["a"], 2);  // two candidates
  EXPECT_EQ(seen_.calls["b"], 2);
  EXPECT_EQ(seen_.calls["c"], 4);
  EXPECT_EQ(seen_.different_logits(), 4U);  // two candidates, two repeats
}

TEST_F(SharedPasses, GiveTheValuesThatEachWouldHaveAlone) {
  add("a", {.batch = 8});
  add("b", {.batch = 8, .batches = 3}, {.loss_gradients = true});
  add("c", {.batch = 8, .repeats = 3});
  add("d", {.batch = 8, .batches = 2, .repeats = 2}, {.output_gradients = true});
  const auto together = evaluate();
  EXPECT_EQ(evaluate(2)[1].proxies[2].repeats, together[1].proxies[2].repeats);
  for (std::size_t i = 0; i < proxies_.size(); ++i) {
    const auto alone = evaluate(std::vector{proxies_[i]});
    for (std::size_t network = 0; network < 2; ++network)
      EXPECT_EQ(alone[network].proxies[0].repeats, together[network].proxies[i].repeats)
          << proxies_[i].name;
  }
}

TEST_F(SharedPasses, LookAtEachBatchOnce) {
  Network network{space_.build({1})};
  network.initialise(Init::torch_default, 1, "weights");
  const std::vector<Samples> batches =
      draw_batches(noise_, {.batch = 8, .batches = 2}, {3, 8, 8}, 0, 1);
  Observation seen{network, batches};
  for (const std::size_t batch : {0, 1}) seen.loss_gradients(batch);
  const double seconds = seen.shared_seconds();
  EXPECT_GT(seconds, 0);
  for (const std::size_t batch : {0, 1}) seen.loss_gradients(batch);
  EXPECT_EQ(seen.shared_seconds(), seconds);
}

TEST_F(SharedPasses, DrawForEachCandidateWhenNotPaired) {
  add("paired", {.batch = 8});
  add("own", {.batch = 8, .paired = false}, {.loss_gradients = true});
  add("more", {.batch = 8, .repeats = 3, .paired = false});
  EXPECT_EQ(merge_passes(proxies_).size(), 2U);
  const auto seen = evaluate(), again = evaluate(2);
  for (std::size_t network = 0; network < 2; ++network) {
    EXPECT_EQ(seen[network].proxies[1].repeats, again[network].proxies[1].repeats);
    EXPECT_EQ(seen[network].proxies[2].repeats, again[network].proxies[2].repeats);
  }
  const auto& paired = seen_.images["paired"];
  const auto& own = seen_.images["own"];
  EXPECT_EQ(paired[0], paired[1]);  // of two candidates
  EXPECT_NE(own[0], own[1]);
}

TEST_F(SharedPasses, LeaveTheCheapestToTheEnd) {
  add("a", {.batch = 8});
  evaluate();
  ASSERT_EQ(seen_.macs.size(), 2U);
  EXPECT_GT(seen_.macs[0], seen_.macs[1]);
}

TEST_F(SharedPasses, LetOneFailWithoutTheOthers) {
  add("a", {.batch = 8});
  add("thrower", {.batch = 8, .repeats = 2});
  const auto seen = evaluate();
  EXPECT_EQ(seen[0].proxies[0].invalid, "");
  EXPECT_EQ(seen[0].proxies[1].invalid, "cannot say");
  EXPECT_EQ(seen_.calls["thrower"], 2);  // once for each network
  EXPECT_EQ(seen[0].invalid, "cannot say");
}

TEST_F(SharedPasses, KeepNothingOfAProxyThatWasStopped) {
  add("stopped", {.batch = 8});
  MemoryStore store;
  store_ = &store;
  EXPECT_THROW(evaluate(), Interrupted);
  for (const char* const candidate : {"width=one", "width=two"})
    EXPECT_FALSE(store.find(candidate, "key of stopped")) << candidate;
}

TEST_F(SharedPasses, EndWhenAskedToStop) {
  add("a", {.batch = 8});
  request_stop();
  EXPECT_THROW(evaluate(), Interrupted);
  withdraw_stop();
  EXPECT_EQ(evaluate()[0].invalid, "");
}

TEST_F(SharedPasses, TellWantOfMemoryFromAFaultOfThePlugin) {
  const auto complaint_of = [&](const std::string& name) {
    proxies_.clear();
    add(name, {.batch = 8});
    try {
      evaluate();
    } catch (const Error& error) {
      return std::string{error.what()};
    }
    return std::string{"none"};
  };
  for (const char* const name : {"greedy", "insatiable"}) {
    EXPECT_THAT(complaint_of(name), HasSubstr("out of memory at proxy"));
    EXPECT_THAT(complaint_of(name), ::testing::Not(HasSubstr("fault of the plugin")));
  }
  EXPECT_THAT(complaint_of("broken"), HasSubstr("fault of the plugin"));
}

TEST_F(SharedPasses, DrawBatchesAtTheSameTimeWhenTheyCannotKeepThem) {
  WatchedNoise noise;
  dataset_ = &noise;
  add("a", {.batch = 64, .batches = 4});
  most_bytes_ = pass_bytes(space_.build({1}), {.batch = 64, .batches = 4}, {});
  noise.patience_s = 10;
  EXPECT_EQ(evaluate(2)[0].invalid, "");
  EXPECT_EQ(noise.most_at_once(), 2);
}

TEST_F(SharedPasses, DrawBatchesOnceForAllWhoseBatchesAreEqual) {
  WatchedNoise noise;
  dataset_ = &noise;
  add("more", {.batch = 8, .batches = 2}, {.outputs = true});
  add("fewer", {.batch = 8}, {.loss_gradients = true, .output_gradients = true});
  add("other weights", {.init = Init::standard_normal, .batch = 8});
  most_bytes_ = pass_bytes(space_.build({1}), {.batch = 8, .batches = 2},
                           {.outputs = true, .loss_gradients = true, .output_gradients = true}) -
                1;
  EXPECT_EQ(evaluate()[0].invalid, "");
  EXPECT_EQ(seen_.different_logits(), 5U) << "the first two one by one, at the larger network";
  EXPECT_EQ(noise.draws(), 2) << "two batches";
}

TEST_F(SharedPasses, AskNoSupernetOfASpaceWithout) {
  class Single final : public SearchSpace {
    std::vector<Decision> decisions() const override { return {}; }
    Graph build(const Genotype&) const override { return {}; }
  } single;
  ScoringSetup setup;
  setup.space = &single;
  Scoring scoring{setup};
  const std::vector<AliveOptions> states{{1}};
  EXPECT_THROW(scoring.evaluate_supernets(states), std::logic_error);
}

TEST_F(SharedPasses, AreNotRunWhenTheyWouldHoldTooMuch) {
  add("small", {.batch = 2}, {.outputs = true});
  add("large", {.batch = 500}, {.outputs = true});
  most_bytes_ = std::int64_t{1} << 20;
  const auto seen = evaluate();
  EXPECT_EQ(seen[0].proxies[0].invalid, "");
  EXPECT_THAT(seen[0].proxies[1].invalid, HasSubstr("memory_mib is 1"));
  EXPECT_EQ(seen_.calls["large"], 0);
}

TEST_F(SharedPasses, RunOneByOneWhatIsTooMuchTogether) {
  add("small", {.batch = 8, .batches = 2}, {.outputs = true});
  add("large", {.batch = 8}, {.loss_gradients = true, .output_gradients = true});
  const double alone = evaluate()[1].proxies[0].value;
  most_bytes_ = pass_bytes(space_.build({1}), {.batch = 8, .batches = 2}, {.outputs = true});
  MemoryStore store;
  store_ = &store;
  const ProxyValue small = evaluate(2)[1].proxies[0], large = evaluate(2)[1].proxies[1];
  EXPECT_EQ(seen_.calls["small"], 4) << "two candidates before, and two once again";
  EXPECT_EQ(small.value, alone);
  EXPECT_TRUE(large.is_left_out);
  store_ = nullptr;
  EXPECT_EQ(large.invalid, evaluate()[1].proxies[1].invalid) << "the same with what is known";
}

TEST_F(SharedPasses, LetGoOfLaterBatchesWithAnyOfTheirGradients) {
  Network network{space_.build({1})};
  network.initialise(Init::torch_default, 1, "weights");
  const Pass pass{.batch = 8, .batches = 3};
  const auto batches = draw_batches(noise_, pass, {3, 8, 8}, 0, 1);
  Observation seen{network, batches};
  for (const std::size_t batch : {0, 1, 2}) {
    const at::Tensor output = seen.forward(batch).output(2);
    seen.input_gradient(batch);
    EXPECT_EQ(output.use_count() == 1, batch > 0) << batch;
  }
  const at::Tensor again = seen.forward(1).output(2);
  seen.loss_gradients(1);
  EXPECT_EQ(again.use_count(), 1U);
}

TEST_F(SharedPasses, HoldNoMoreThanTheyTell) {
  Network network{space_.build({1})};
  network.initialise(Init::torch_default, 1, "weights");
  const Pass pass{.batch = 8, .batches = 6};
  const auto batches = draw_batches(noise_, pass, {3, 8, 8}, 0, 1);
  const Reads outputs{.outputs = true};
  const Reads all{.outputs = true, .output_gradients = true, .input_gradients = true};
  for (const Reads& reads : {outputs, all}) {
    Observation seen{network, batches, reads};
    std::map<const void*, std::size_t> held;
    const auto hold = [&](const at::Tensor& tensor) {
      if (tensor.defined()) held[tensor.storage().data()] = tensor.nbytes();
    };
    for (std::size_t batch = 0; batch < 6; ++batch) {
      if (reads.any_gradients()) {
        hold(seen.input_gradient(batch));
        const Gradients& gradients = seen.output_gradients(batch);
        for (const at::Tensor& gradient : gradients.outputs) hold(gradient);
        for (const auto& [weight, bias] : gradients.parameters) {
          hold(weight);
          hold(bias);
        }
      }
      for (const Blend& blend : seen.forward(batch).blends)
        for (const Blend::Term& term : blend.terms) hold(term.x);
    }
    std::size_t bytes = 0;
    for (const auto& [place, size] : held) bytes += size;
    EXPECT_LE(bytes, static_cast<std::size_t>(pass_bytes(network.graph(), pass, reads)));
  }
}

TEST_F(SharedPasses, RefuseWhatNobodyToldOf) {
  Network network{space_.build({0})};
  network.initialise(Init::torch_default, 1, "weights");
  const auto batches = draw_batches(noise_, {.batch = 8}, {3, 8, 8}, 0, 1);
  Observation seen{network, batches};
  EXPECT_THROW(seen.images(1), std::out_of_range);
  EXPECT_THROW(seen.loss_gradients(1), std::out_of_range);
  EXPECT_THROW(seen.output_gradients(), std::logic_error);
}

TEST_F(SharedPasses, CountTheMemoryOfAKernel) {
  const auto reason_at = [&](const Reads& reads) {
    proxies_.clear();
    add("a", {.batch = 64}, reads);
    return evaluate()[0].proxies[0].invalid;
  };
  most_bytes_ = std::int64_t{1} << 21;
  EXPECT_EQ(reason_at({.outputs = true}), "");
  EXPECT_THAT(reason_at({.kernel = true}), HasSubstr("memory_mib is 2"));
}

}  // namespace
}  // namespace thimble
