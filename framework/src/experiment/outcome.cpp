#include <thimble/experiment/outcome.hpp>

#include <algorithm>
#include <set>
#include <stdexcept>

namespace thimble {

std::vector<EpochOutcome> TrainedRow::epochs() const {
  std::vector<EpochOutcome> all = real().epochs;
  all.insert(all.end(), int8.epochs.begin(), int8.epochs.end());
  return all;
}

std::vector<std::size_t> first_of_rows(const std::vector<PointOutcome>& outcomes) {
  std::vector<std::size_t> points;
  std::set<std::string> rows;
  for (std::size_t point = 0; point < outcomes.size(); ++point)
    if (rows.insert(outcomes[point].row).second) points.push_back(point);
  return points;
}

std::size_t number_of(const PointOutcome& outcome, const std::string& arch) {
  const auto found = std::ranges::find(outcome.evaluated, arch, &Evaluation::text);
  if (found == outcome.evaluated.end())
    throw std::logic_error{"a network without a number: " + arch};
  return outcome.first_number +
         static_cast<std::size_t>(std::distance(outcome.evaluated.begin(), found));
}

}  // namespace thimble
