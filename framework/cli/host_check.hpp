#pragma once

#include <thimble/deploy/generate_c.hpp>
#include <thimble/deploy/int8_network.hpp>
#include <thimble/experiment/study.hpp>

namespace thimble::cli {

/// What `deploy --verify` calls this machine.
inline constexpr const char* kHost = "host";

/// What was compared.
struct HostCheck {
  std::int64_t samples = 0;
  std::int64_t boxes = 0;
};

/// Compiles the network's C for this machine, runs it on every test sample and compares all
/// outputs, and boxes where it tells any, with the reference. Throws Error where there is no
/// compiler, or something differs.
HostCheck check_on_host(const Int8Network& network, const CSource& source, const Study& study);

}  // namespace thimble::cli
