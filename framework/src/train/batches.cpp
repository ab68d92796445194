#include <thimble/train/batches.hpp>

#include <algorithm>
#include <iterator>

#include <thimble/core/index.hpp>
#include <thimble/core/random.hpp>

namespace thimble {
namespace {

std::vector<std::int64_t> shuffled(const std::vector<std::int64_t>& places, Random random) {
  std::vector<std::int64_t> order;
  const auto count = std::ssize(places);
  for (const std::int64_t i : random.sample(count, count)) order.push_back(places[at(i)]);
  return order;
}

}  // namespace

Batches::Batches(std::vector<std::int64_t> places, std::int64_t batch, std::uint64_t seed,
                 std::string stream)
    : places_{std::move(places)},
      batch_{std::min<std::int64_t>(batch, std::ssize(places_))},
      seed_{seed},
      stream_{std::move(stream)},
      of_epoch_{batch_ == 0 ? 0 : std::ssize(places_) / batch_} {
  if (batch_ > 0 && std::ssize(places_) % batch_ >= kFewestSamples) ++of_epoch_;
}

std::span<const std::int64_t> Batches::at_step(std::int64_t step) {
  if (const std::int64_t epoch = step / of_epoch_; epoch != epoch_) {
    order_ = shuffled(places_, Random::stream(seed_, {stream_, std::to_string(epoch)}));
    epoch_ = epoch;
  }
  const auto rest = std::span{std::as_const(order_)}.subspan(at(step % of_epoch_ * batch_));
  return rest.first(std::min(rest.size(), at(batch_)));
}

Samples samples_for_statistics(const TrainingData& data, std::int64_t batch, std::uint64_t seed) {
  constexpr std::int64_t kBatches = 20;
  auto places = shuffled(data.learned(), Random::stream(seed, {"statistics"}));
  places.resize(std::min(places.size(), at(kBatches * batch)));
  return data.batch(Split::train, places);
}

}  // namespace thimble
