#pragma once

#include <optional>
#include <string>

#include <gtest/gtest.h>

#include <thimble/core/error.hpp>
#include <thimble/emulate/profile.hpp>

namespace thimble::test {

/// A test on an emulated core; skipped where there is no compiler or no emulator.
class OnCore : public ::testing::TestWithParam<Core> {
 protected:
  void SetUp() override {
    try {
      profiler.emplace(GetParam());
    } catch (const Error& error) {
      GTEST_SKIP() << error.what();
    }
  }

  std::optional<Profiler> profiler;
};

inline std::string core_name(const ::testing::TestParamInfo<Core>& info) {
  return name_of(info.param);
}

}  // namespace thimble::test
