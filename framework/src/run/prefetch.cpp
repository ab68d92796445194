#include "prefetch.hpp"

#include <algorithm>
#include <utility>

#include <thimble/core/error.hpp>
#include <thimble/nn/proxy.hpp>
#include <thimble/run/work.hpp>

namespace thimble {
namespace {

/// Of a batch, parts take about so long, where it is large enough: starting one takes a second, and
/// what the last of them takes is waited for by all.
constexpr double kLeastSeconds = 30, kMostSeconds = 300, kMostParts = 64;

FarmOrder farm_order(const RunOptions& options, const std::filesystem::path& run,
                     std::function<void(const std::string&)> say) {
  FarmOrder order;
  order.run = run;
  order.array = options.worker;
  order.array.arguments.insert(order.array.arguments.begin(), {"work", run.string()});
  order.say = std::move(say);
  order.progress = options.farmed;
  order.submitted = [run, submitted = options.submitted](const std::vector<std::string>& ids) {
    submitted(run, ids);
  };
  return order;
}

}  // namespace

Prefetch::Prefetch(const RunOptions& options, const LoadedExperiment& experiment,
                   const std::filesystem::path& run, SqliteStore& store,
                   std::function<void(const std::string&)> say)
    : experiment_{experiment},
      run_{std::filesystem::absolute(run)},
      store_{store},
      batch_minutes_{options.batch_minutes},
      farm_{farm_order(options, run_, std::move(say)), *options.engine} {}

void Prefetch::points() {
  if (batch_minutes_) return;
  if (store_.size() > 0) write_known(run_, store_.values());
  std::vector<Part> parts;
  for (std::size_t i = 0; i < experiment_.studies.size(); ++i)
    parts.push_back({Part::Kind::point, i, 0, key_of_values(experiment_.studies[i]), {}});
  compute(parts);
}

bool Prefetch::is_known(const Study& study, const std::string& key, bool is_supernet) {
  return std::ranges::all_of(study.proxies, [&](const Study::NamedProxy& named) {
    return (is_supernet && !named.proxy->accepts_supernets()) || store_.find(key, named.key);
  });
}

void Prefetch::batch(std::size_t point, std::vector<std::string> keys, double seconds_each,
                     bool are_supernets) {
  const Study& study = experiment_.studies[point];
  std::erase_if(keys, [&](const std::string& key) { return is_known(study, key, are_supernets); });
  const double seconds = seconds_each * static_cast<double>(keys.size());
  if (keys.empty() || seconds < 60 * *batch_minutes_) return;
  const auto kind = are_supernets ? Part::Kind::supernets : Part::Kind::candidates;
  const auto size = static_cast<std::size_t>(
      std::clamp(std::clamp(seconds / kMostParts, kLeastSeconds, kMostSeconds) / seconds_each, 1.0,
                 static_cast<double>(keys.size())));
  std::vector<Part> parts;
  for (std::size_t i = 0; i < keys.size(); i += size)
    parts.push_back(
        {kind,
         point,
         0,
         key_of_values(study),
         {keys.begin() + static_cast<std::ptrdiff_t>(i),
          keys.begin() + static_cast<std::ptrdiff_t>(std::min(i + size, keys.size()))}});
  compute(parts);
}

void Prefetch::trainings(const std::vector<OpenTraining>& open) {
  std::vector<Part> parts;
  for (const auto& [point, arch, dataset, seed] : open) {
    parts.push_back(
        {Part::Kind::training, point, seed, key_of_values(experiment_.studies[point]), {arch}});
    if (!dataset.empty()) parts.back().candidates.push_back(dataset);
  }
  if (!parts.empty()) compute(parts);
}

void Prefetch::compute(const std::vector<Part>& parts) {
  try {
    farm_.compute(parts);
  } catch (const Interrupted&) {
    throw;  // shards are merged by whoever goes on
  } catch (const Error&) {
    store_.merge(farm_.new_values());
    throw;
  }
  store_.merge(farm_.new_values());
}

}  // namespace thimble
