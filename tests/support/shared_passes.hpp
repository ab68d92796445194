#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thimble/core/error.hpp>
#include <thimble/core/random.hpp>
#include <thimble/graph/counts.hpp>
#include <thimble/nn/propagation/tensor.hpp>
#include <thimble/search/scoring.hpp>
#include <thimble/search/shared_pass.hpp>

/// Proxies that tell what they were shown, over a space of two networks and data of noise.
namespace thimble::testing {

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

}  // namespace thimble::testing
