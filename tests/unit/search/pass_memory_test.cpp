// What passes hold: no more than they tell, and batches drawn once for all.

#include <chrono>
#include <condition_variable>

#include <support/shared_passes.hpp>
#include <thimble/nn/input_source.hpp>

namespace thimble::pass_memory_test {
namespace {

using ::testing::HasSubstr;
using testing::MemoryStore;
using testing::Noise;
using testing::SharedPasses;

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
}  // namespace thimble::pass_memory_test
