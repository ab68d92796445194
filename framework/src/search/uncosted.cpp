#include <thimble/search/uncosted.hpp>

#include <algorithm>

#include <fmt/format.h>

#include <thimble/core/stop.hpp>
#include <thimble/core/text.hpp>
#include <thimble/graph/transforms.hpp>

namespace thimble {

Uncosted::Uncosted(std::vector<Decision> decisions) : decisions_{std::move(decisions)} {}

void Uncosted::note(const Evaluation& network) {
  const std::string& reason = network.cost.unsupported;
  const auto count = [&](Count& of) {
    ++of.all;
    if (!reason.empty()) ++of.lost;
  };
  const std::scoped_lock lock{mutex_};
  constexpr std::size_t kMost = 100'000;
  if (seen_.size() >= kMost || !seen_.insert(fingerprint(network.text)).second) return;
  count(total_);
  if (!reason.empty()) ++reasons_[reason];
  for (std::size_t i = 0; i < decisions_.size(); ++i)
    if (decisions_[i].type == Decision::Type::categorical)
      count(options_[{i, static_cast<std::size_t>(network.genotype[i])}]);
}

std::string Uncosted::remark(const std::string& subject, const std::string& networks) const {
  const std::scoped_lock lock{mutex_};
  if (total_.lost == 0) return "";
  const auto& [reason, times] = *std::ranges::max_element(
      reasons_, {}, [](const auto& reason_and_times) { return reason_and_times.second; });
  std::string line = fmt::format("{} cannot cost {} of {} {}: {}", subject, total_.lost, total_.all,
                                 networks, reason);
  if (times < total_.lost)
    line += fmt::format(" ({} of them; the others for other reasons)", times);
  return line + lost_options();
}

/// One that was seen once or twice says nothing, and where all is lost, no option stands out.
std::string Uncosted::lost_options() const {
  constexpr std::int64_t kEnough = 3;
  if (total_.lost == total_.all) return "";
  std::vector<std::string> names;
  for (const auto& [place, count] : options_)
    if (count.lost == count.all && count.all >= kEnough)
      names.push_back(decisions_[place.first].name + "=" +
                      decisions_[place.first].options[place.second]);
  return names.empty() ? "" : "; none with " + join(names, " or ") + " has a cost";
}

std::string uncosted_at_random(const SearchSpace& space, const Hardware& hardware,
                               const std::string& name, int networks,
                               std::chrono::milliseconds time) {
  const auto decisions = space.decisions();
  Uncosted uncosted{decisions};
  Random random = Random::stream(0, {"uncosted"});
  const auto end = std::chrono::steady_clock::now() + time;
  for (int i = 0; i < networks && (i == 0 || std::chrono::steady_clock::now() < end); ++i) {
    stop_if_requested();
    Evaluation network;
    network.genotype = random_genotype(decisions, random);
    network.text = space.encode(network.genotype);
    const Graph graph = space.build(network.genotype);
    if (!is_connected(graph)) continue;
    network.cost = hardware.cost(graph);
    uncosted.note(network);
  }
  return uncosted.remark("hardware " + in_quotes(name), "random networks");
}

}  // namespace thimble
