#pragma once

#include <thimble/core/export.hpp>

/// The one way to stop what runs: somebody asks, and whatever takes long looks now and then. It is
/// of the whole process, because the signal that asks is. Thread safe.
namespace thimble {

/// Asks everything to end soon. Returns whether that was asked before. May be called in a signal
/// handler.
THIMBLE_EXPORT bool request_stop() noexcept;
/// Takes it back: for who goes on after what was stopped has ended.
THIMBLE_EXPORT void withdraw_stop() noexcept;
THIMBLE_EXPORT bool is_stop_requested() noexcept;
/// Throws Interrupted when somebody asked.
THIMBLE_EXPORT void stop_if_requested();

}  // namespace thimble
