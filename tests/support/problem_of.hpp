#pragma once

#include <string>

#include <thimble/core/error.hpp>

namespace thimble {

/// The message of the Error that build() throws.
template <class Build>
std::string problem_of(Build build) {
  try {
    build();
  } catch (const Error& error) {
    return error.diagnostics()[0].message;
  }
  return "no problem";
}

}  // namespace thimble
