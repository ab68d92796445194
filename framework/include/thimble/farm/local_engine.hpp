#pragma once

#include <map>
#include <memory>

#include <thimble/farm/engine.hpp>

namespace thimble {

/// Processes of this machine, so many at a time. They do not outlive it.
class THIMBLE_EXPORT LocalEngine final : public Engine {
 public:
  explicit LocalEngine(int workers);
  ~LocalEngine() override;

  Submission submit(const Array& array) override;
  bool is_alive(const std::string& id) override;

 private:
  class Running;
  int workers_;
  std::map<std::string, std::unique_ptr<Running>> arrays_;
};

}  // namespace thimble
