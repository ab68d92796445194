#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace thimble::ntk {

/// Uninitialised memory for cotangents: blocks of one size, lent and given back, last in first out,
/// so that the same pages serve a whole backward pass. Only what is written ever becomes resident.
class Buffers {
 public:
  explicit Buffers(std::size_t bytes) : bytes_{bytes} {}
  void* take();
  void give(void* buffer) { free_.push_back(buffer); }

 private:
  struct Free {
    void operator()(void* memory) const;
  };
  std::size_t bytes_;
  std::vector<std::unique_ptr<void, Free>> all_;
  std::vector<void*> free_;
};

}  // namespace thimble::ntk
