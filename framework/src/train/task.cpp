#include <thimble/train/task.hpp>

#include <thimble/core/text.hpp>

namespace thimble {

Task::~Task() = default;

bool Task::has_maps() const { return false; }

std::shared_ptr<const Task> Task::fitted_to(const Dataset&) const { return nullptr; }

std::vector<NamedTable> Task::details(const at::Tensor&, const at::Tensor&,
                                      const DatasetInfo&) const {
  return {};
}

std::optional<BoxDecoder> Task::box_decoder(const DatasetInfo&) const { return {}; }

bool fits(const Shape& last, const Task& task, const DatasetInfo& data) {
  return last.channels == task.outputs(data) && (task.has_maps() || last.pixels() == 1);
}

std::string outputs_text(const Shape& last) {
  if (last.pixels() == 1) return count_text(last.channels, "output");
  return "a map of " + count_text(last.channels, "channel");
}

std::string wanted_outputs_text(const Task& task, const DatasetInfo& data) {
  const int wanted = task.outputs(data);
  return task.has_maps() ? "a map of " + count_text(wanted, "channel") : std::to_string(wanted);
}

}  // namespace thimble
