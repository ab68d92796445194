// Proxies that look at the same thing see one network, and say what they would say alone.

#include <support/shared_passes.hpp>
#include <thimble/core/stop.hpp>
#include <thimble/nn/input_source.hpp>

namespace thimble::shared_pass_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::MemoryStore;
using testing::SharedPasses;

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

}  // namespace
}  // namespace thimble::shared_pass_test
