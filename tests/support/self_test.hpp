#pragma once

#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include <thimble/core/process.hpp>

namespace thimble::test {

/// Builds on this machine what `thimble deploy --name NAME` wrote into a folder, and runs it.
inline void expect_self_test_passes(const std::filesystem::path& folder, const std::string& name) {
  const auto cc = find_program("cc");
  ASSERT_TRUE(cc) << "thimble was built without a compiler?";
  const auto compiled = run_process(*cc,
                                    {"-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror",
                                     name + ".c", name + "_test.c", "-o", "t"},
                                    folder);
  ASSERT_TRUE(compiled.succeeded()) << compiled.errors;
  EXPECT_EQ(run_process(folder / "t", {}, folder).code, 0);
}

}  // namespace thimble::test
