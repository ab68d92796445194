#include <thimble/train/task.hpp>

namespace thimble {

Task::~Task() = default;

std::vector<NamedTable> Task::details(const at::Tensor&, const at::Tensor&,
                                      const DatasetInfo&) const {
  return {};
}

}  // namespace thimble
