#include <thimble/core/stop.hpp>

#include <atomic>

#include <thimble/core/error.hpp>

namespace thimble {
namespace {

std::atomic<bool> is_requested = false;
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler sets it");

}  // namespace

bool request_stop() noexcept { return is_requested.exchange(true); }
void withdraw_stop() noexcept { is_requested = false; }
bool is_stop_requested() noexcept { return is_requested; }

void stop_if_requested() {
  if (is_requested) throw Interrupted{"interrupted"};
}

}  // namespace thimble
