#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <thimble/farm/engine.hpp>

namespace thimble {

/// Processes of this machine, so many at a time. They do not outlive it. With a launcher, as srun
/// and its options, they are its processes, and compute where it puts them.
class THIMBLE_EXPORT LocalEngine final : public Engine {
 public:
  explicit LocalEngine(int workers, std::vector<std::string> launcher = {});
  ~LocalEngine() override;

  Submission submit(const Array& array) override;
  bool is_alive(const std::string& id) override;

 private:
  class Running;
  int workers_;
  std::vector<std::string> launcher_;
  std::map<std::string, std::unique_ptr<Running>> arrays_;
};

}  // namespace thimble
