#include "pass_runner.hpp"

#include <cmath>
#include <stdexcept>

#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <thimble/core/error.hpp>
#include <thimble/core/stop.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/nn/input_source.hpp>
#include <thimble/nn/propagation/tensor.hpp>
#include <thimble/nn/threads.hpp>
#include <thimble/train/task.hpp>

namespace thimble {
namespace {

/// LibTorch has no type of its own for this.
bool is_out_of_memory(const std::exception& failure) {
  return dynamic_cast<const std::bad_alloc*>(&failure) != nullptr ||
         std::string_view{failure.what()}.find("DefaultCPUAllocator") != std::string_view::npos;
}

/// Batches are the same for all passes that differ only in what is not in it. Who looks at fewer
/// batches sees the first of them.
std::string name_of_batches(const Pass& pass, const Shape& input, int repeat) {
  return fmt::format("{} {} {} {} {} {} {}", static_cast<int>(pass.input), pass.batch,
                     static_cast<int>(pass.fit), pass.augment, pass.double_precision,
                     to_string(input), repeat);
}

std::int64_t bytes_of(const std::vector<Samples>& batches) {
  std::int64_t bytes = 0;
  for (const Samples& samples : batches)
    bytes += static_cast<std::int64_t>(samples.images.nbytes());
  return bytes;
}

void require_finite(const ScoredProxy& scored, double value) {
  if (!std::isfinite(value)) throw Error{fmt::format("proxy '{}' gave {}", scored.name, value)};
}

/// To be called in a catch block.
[[noreturn]] void throw_fault(const std::string& proxy, const std::string& candidate) {
  throw Error{fmt::format("proxy '{}' failed on {}: {}", proxy, candidate, what_was_thrown()),
              "this is a fault of the plugin, not of the experiment"};
}

/// The reason why a value is invalid, or nothing. What says nothing of the candidate ends the run:
/// a wish to stop, damaged data, want of memory, and faults of plugins.
template <class Work>
std::string reason_against(const std::string& proxy, const ScoringTask& task, const Work& work) {
  try {
    work();
    return "";
  } catch (const Interrupted&) {
    throw;
  } catch (const InputError&) {
    throw;  // the data is damaged, not the candidate
  } catch (const Error& error) {
    return error.diagnostics().front().message;
  } catch (const c10::LinAlgError&) {
    return "a decomposition did not converge: its matrix is not finite";
  } catch (const std::exception& failure) {
    if (is_out_of_memory(failure))
      throw Error{fmt::format("out of memory at proxy '{}' on {}", proxy, task.key),
                  "use fewer --jobs, a smaller batch, or a lower memory_mib, which leaves out what "
                  "would hold more"};
    throw_fault(proxy, task.key);
  } catch (...) {
    throw_fault(proxy, task.key);
  }
}

Graph graph_for(const SharedPass& shared, const ScoringTask& task) {
  const Graph built = task.build(*shared.space);
  if (!is_connected(built)) throw Error{kDisconnected};
  Graph graph = shared.pass.dead_ends ? built : live(built);
  if (shared.pass.batch_norm == BatchNorm::off) graph = without_batch_norm(graph);
  return graph;
}

/// Boxes have no loss but their task's; classes have one that no recipe changes.
LossGradient loss_of(const ScoringSetup& setup) {
  const bool are_boxes =
      setup.dataset != nullptr && setup.dataset->describe().labels == LabelKind::boxes;
  if (!are_boxes || setup.task == nullptr) return cross_entropy_gradient;
  return [task = setup.task](const at::Tensor& outputs, const at::Tensor& labels) {
    return task->loss(outputs, labels, {}).gradient / static_cast<double>(outputs.size(0));
  };
}

}  // namespace

/// A value that is being computed.
struct PassRunner::Asked {
  std::size_t proxy = 0;
  ProxyValue value;
};

PassRunner::PassRunner(const ScoringSetup& setup)
    : setup_{setup}, passes_{merge_passes(setup.proxies)}, loss_{loss_of(setup)} {
  for (std::size_t i = 0; i < setup.proxies.size(); ++i) {
    own_passes_.push_back(merge_passes({setup.proxies[i]}).front());
    own_passes_.back().proxies = {i};
  }
}

/// The same for all candidates, unless each has its own; kept for the next one as long as a quarter
/// of the memory of a job holds them. Nobody waits while another draws.
PassRunner::Batches PassRunner::batches_of(const SharedPass& shared, const ScoringTask& task,
                                           const Shape& input, int repeat) {
  const auto draw = [&](std::uint64_t seed) {
    return std::make_shared<const std::vector<Samples>>(
        draw_batches(*setup_.dataset, shared.pass, input, repeat, seed));
  };
  if (!shared.pass.paired) return draw(seed_for(shared, task));
  const std::string name = name_of_batches(shared.pass, input, repeat);
  const auto known = [&]() -> Batches {
    const auto found = batches_.find(name);
    const bool is_enough =
        found != batches_.end() && std::ssize(*found->second) >= shared.pass.batches;
    return is_enough ? found->second : nullptr;
  };
  {
    const std::scoped_lock lock{batches_mutex_};
    if (Batches batches = known()) return batches;
  }
  Batches drawn = draw(setup_.seed);
  const std::scoped_lock lock{batches_mutex_};
  if (Batches batches = known()) return batches;
  const auto fewer = batches_.find(name);
  const std::int64_t more =
      bytes_of(*drawn) - (fewer == batches_.end() ? 0 : bytes_of(*fewer->second));
  if (batches_bytes_ + more <= setup_.most_bytes / 4) {
    batches_bytes_ += more;
    batches_.insert_or_assign(name, drawn);
  }
  return drawn;
}

std::uint64_t PassRunner::seed_for(const SharedPass& shared, const ScoringTask& task) const {
  return shared.pass.paired ? setup_.seed : Random::stream(setup_.seed, {"candidate", task.key})();
}

void PassRunner::ask(Asked& asked, Observation& seen, const ScoringTask& task) {
  const ScoredProxy& scored = setup_.proxies[asked.proxy];
  ProxyValue& value = asked.value;
  const double start = thread_seconds() - seen.shared_seconds();
  value.invalid = reason_against(scored.name, task, [&] {
    value.repeats.push_back(scored.proxy->score(seen));
    require_finite(scored, value.repeats.back());
  });
  value.seconds += thread_seconds() - seen.shared_seconds() - start;
}

void PassRunner::combine(Asked& asked, const ScoringTask& task) {
  ProxyValue& value = asked.value;
  if (!value.invalid.empty()) return;
  const ScoredProxy& scored = setup_.proxies[asked.proxy];
  value.invalid = reason_against(scored.name, task, [&] {
    const double combined = scored.proxy->combine(value.repeats);
    require_finite(scored, combined);
    value.value = combined;
  });
}

void PassRunner::leave_out(const SharedPass& shared, std::int64_t bytes, Asked& asked) const {
  constexpr double kMebi = 1 << 20;
  asked.value.invalid = fmt::format(
      "a pass over a batch of {} would hold {:.1f} MiB, memory_mib is {}", shared.pass.batch,
      static_cast<double>(bytes) / kMebi, static_cast<double>(setup_.most_bytes) / kMebi);
  asked.value.is_left_out = true;
}

/// What is too much for all together may do for each.
void PassRunner::look_one_by_one(const ScoringTask& task, std::span<Asked> asked) {
  for (Asked& one : asked) look(own_passes_[one.proxy], task, {&one, 1});
}

void PassRunner::look(const SharedPass& shared, const ScoringTask& task, std::span<Asked> asked) {
  const double start = thread_seconds();
  std::optional<Network> network;
  const std::string& first = setup_.proxies[asked.front().proxy].name;
  const std::string no_network = reason_against(first, task, [&] {
    network.emplace(graph_for(shared, task),
                    shared.pass.double_precision ? at::kDouble : at::kFloat);
  });
  for (Asked& one : asked) one.value.invalid = no_network;
  if (!network) return;
  std::int64_t bytes = 0;
  const std::string no_pass = reason_against(
      first, task, [&] { bytes = pass_bytes(network->graph(), shared.pass, shared.reads); });
  for (Asked& one : asked) one.value.invalid = no_pass;
  if (!no_pass.empty()) return;
  if (bytes > setup_.most_bytes)
    return shared.proxies.size() > 1 ? look_one_by_one(task, asked)
                                     : leave_out(shared, bytes, asked[0]);
  const std::uint64_t seed = seed_for(shared, task);
  for (int repeat = 0; repeat < shared.pass.repeats; ++repeat) {
    const int draw = shared.pass.fresh_weights ? repeat : 0;
    if (repeat == 0 || shared.pass.fresh_weights)
      network->initialise(shared.pass.init, seed, "weights" + std::to_string(draw));
    const Shape& input = network->graph().node(0).shape;
    const Batches batches = batches_of(shared, task, input, repeat);
    Observation seen{*network, *batches, shared.reads, seed, repeat, loss_};
    for (Asked& one : asked)
      if (one.value.invalid.empty() && repeat < setup_.proxies[one.proxy].proxy->pass().repeats)
        ask(one, seen, task);
  }
  for (Asked& one : asked) combine(one, task);
  // What served all of them is shared out evenly.
  double common = thread_seconds() - start;
  for (const Asked& one : asked) common -= one.value.seconds;
  for (Asked& one : asked) one.value.seconds += common / static_cast<double>(asked.size());
}

std::vector<ProxyValue> PassRunner::score(const ScoringTask& task) {
  std::vector<ProxyValue> values(setup_.proxies.size());
  for (const SharedPass& shared : passes_) {
    std::vector<Asked> asked;
    for (const std::size_t i : shared.proxies) {
      const ScoredProxy& scored = setup_.proxies[i];
      std::optional<ProxyValue> known;
      if (setup_.store != nullptr) known = setup_.store->find(task.key, scored.key);
      if (known) {
        values[i] = std::move(*known);
      } else if (task.is_supernet && !scored.proxy->accepts_supernets()) {
        values[i].invalid = fmt::format("proxy '{}' cannot score a supernet", scored.name);
      } else {
        asked.push_back({i, {}});
      }
    }
    if (!asked.empty()) look(shared, task, asked);
    for (Asked& one : asked) {
      if (setup_.store != nullptr && !one.value.is_left_out)
        setup_.store->put(task.key, setup_.proxies[one.proxy].key, one.value);
      values[one.proxy] = std::move(one.value);
    }
  }
  return values;
}

}  // namespace thimble
