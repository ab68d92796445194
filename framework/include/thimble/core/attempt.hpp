#pragma once

#include <string>

#include <thimble/core/error.hpp>

namespace thimble {

/// Runs work() and returns the message of its Error, or nothing. What the user can mend
/// (InputError) or has stopped (Interrupted) goes on as it was thrown.
template <class Work>
std::string attempt(const Work& work) {
  try {
    work();
  } catch (const InputError&) {
    throw;
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    return error.diagnostics().front().message;
  }
  return {};
}

}  // namespace thimble
