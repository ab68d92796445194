#pragma once

#include <gtest/gtest.h>

#include <thimble/nn/boxes.hpp>

namespace thimble::testing {

inline void expect_near(const LabelledBox& found, const LabelledBox& expected) {
  constexpr double kRounding = 1e-6;
  EXPECT_EQ(found.label, expected.label);
  EXPECT_NEAR(found.x, expected.x, kRounding);
  EXPECT_NEAR(found.y, expected.y, kRounding);
  EXPECT_NEAR(found.width, expected.width, kRounding);
  EXPECT_NEAR(found.height, expected.height, kRounding);
  EXPECT_EQ(found.is_crowd, expected.is_crowd);
}

}  // namespace thimble::testing
