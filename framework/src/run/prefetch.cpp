#include "prefetch.hpp"

#include <utility>

#include <thimble/core/error.hpp>
#include <thimble/run/work.hpp>

namespace thimble {
namespace {

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
      farm_{farm_order(options, run_, std::move(say)), *options.engine} {}

void Prefetch::points() {
  if (store_.size() > 0) write_known(run_, store_.values());
  std::vector<Part> parts;
  for (std::size_t i = 0; i < experiment_.studies.size(); ++i)
    parts.push_back({Part::Kind::point, i, 0, key_of_values(experiment_.studies[i]), {}});
  compute(parts);
}

void Prefetch::trainings(const std::vector<OpenTraining>& open) {
  std::vector<Part> parts;
  for (const auto& [point, arch, seed] : open)
    parts.push_back(
        {Part::Kind::training, point, seed, key_of_values(experiment_.studies[point]), {arch}});
  if (!parts.empty()) compute(parts);
}

void Prefetch::compute(const std::vector<Part>& parts) {
  try {
    farm_.compute(parts);
  } catch (const Interrupted&) {
    throw;  // shards are merged by whoever goes on
  } catch (const Error&) {
    store_.merge(farm_.values());
    throw;
  }
  store_.merge(farm_.values());
}

}  // namespace thimble
