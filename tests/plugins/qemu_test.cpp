// What the qemu back end says of a network, and of a machine that is in trouble.

#include <cstdlib>
#include <memory>
#include <string>

#include <fmt/format.h>

#include <support/world.hpp>
#include <thimble/emulate/emulator.hpp>
#include <thimble/emulate/toolchain.hpp>
#include <thimble/hardware.hpp>

namespace thimble::qemu_test {
namespace {

class Qemu : public ::testing::Test {
 protected:
  void SetUp() override {
    try {
      Toolchain::find();
      Emulator::find();
    } catch (const Error& error) {
      GTEST_SKIP() << error.what();
    }
  }

  static std::unique_ptr<Hardware> board() {
    static PluginLoader loader = testing::plugins();
    return testing::make<Hardware>(loader, "qemu", "{board: nucleo_f446re}");
  }

  static Graph convolution(int channels) {
    Graph graph;
    graph.conv(graph.input({channels, 4, 4}),
               {.out = channels, .kernel = {3, 3}, .padding = {1, 1}});
    return graph;
  }
};

/// A variable of the environment, until the end of a test.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_{name} {
    if (const char* const old = std::getenv(name)) old_ = old;
    ::setenv(name, value.c_str(), 1);
  }
  ~Variable() { ::setenv(name_, old_.c_str(), 1); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

  const std::string& old() const { return old_; }

 private:
  const char* name_;
  std::string old_;
};

TEST_F(Qemu, CannotRunWhatIsTooLarge) {
  EXPECT_THAT(board()->cost(convolution(1024)).unsupported,
              ::testing::HasSubstr("too large for the emulated m4"));
  EXPECT_THAT(board()->cost(convolution(1 << 20)).unsupported,  // terabytes of weights
              ::testing::HasSubstr("too large for the emulated m4"));
}

/// A machine in trouble says nothing of the network: next time there is a cost.
TEST_F(Qemu, EndsTheRunWhenTheEmulatorFails) {
  const TemporaryFolder folder;
  const std::filesystem::path fake = folder.path() / "qemu-system-arm";
  write_file(fake,
             "#!/bin/sh\n[ \"$1\" = --version ] && echo version 7.2.0 && exit\n"
             "echo cannot start >&2\nexit 1\n");
  std::filesystem::permissions(fake, std::filesystem::perms::owner_all);
  const Variable path{"PATH", folder.path().string() + ":" + std::getenv("PATH")};
  const auto failing = board();
  for (int i = 0; i < 2; ++i) {
    try {
      failing->cost(convolution(4));
      ADD_FAILURE() << "no emulator ran";
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), ::testing::HasSubstr("cannot start"));
    }
  }
  std::filesystem::remove(fake);
  const Variable healthy{"PATH", path.old()};
  EXPECT_EQ(board()->cost(convolution(4)).unsupported, "");
}

}  // namespace
}  // namespace thimble::qemu_test
