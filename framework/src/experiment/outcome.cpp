#include <thimble/experiment/outcome.hpp>

#include <set>

namespace thimble {

std::vector<std::size_t> first_of_rows(const std::vector<PointOutcome>& outcomes) {
  std::vector<std::size_t> points;
  std::set<std::string> rows;
  for (std::size_t point = 0; point < outcomes.size(); ++point)
    if (rows.insert(outcomes[point].row).second) points.push_back(point);
  return points;
}

}  // namespace thimble
