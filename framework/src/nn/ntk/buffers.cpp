#include "buffers.hpp"

#include <cstdlib>
#include <new>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace thimble::ntk {

void Buffers::Free::operator()(void* memory) const { std::free(memory); }

void* Buffers::take() {
  if (!free_.empty()) {
    void* const buffer = free_.back();
    free_.pop_back();
    return buffer;
  }
  // Large pages where the system has them: taking tens of megabytes in pages of 4 KiB costs as much
  // as a good part of the arithmetic. Small buffers stay what they are.
  constexpr std::size_t kLargePage = std::size_t{1} << 21;
  const std::size_t alignment = bytes_ >= kLargePage ? kLargePage : 64;
  const std::size_t size = (bytes_ + alignment - 1) / alignment * alignment;
  std::unique_ptr<void, Free> made{std::aligned_alloc(alignment, size)};
  if (made == nullptr) throw std::bad_alloc{};
#ifdef __linux__
  if (alignment == kLargePage) madvise(made.get(), size, MADV_HUGEPAGE);  // merely advice
#endif
  all_.push_back(std::move(made));
  return all_.back().get();
}

}  // namespace thimble::ntk
