// Files and folders where the system has none.

#include <cstdlib>
#include <optional>
#include <string>

#include <support/world.hpp>
#include <thimble/core/error.hpp>
#include <thimble/core/files.hpp>

namespace thimble {
namespace {

using ::testing::HasSubstr;

/// An environment variable for the length of a test.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_{name} {
    if (const char* const before = std::getenv(name)) before_ = before;
    ::setenv(name, value.c_str(), 1);
  }
  ~Variable() {
    if (before_)
      ::setenv(name_, before_->c_str(), 1);
    else
      ::unsetenv(name_);
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> before_;
};

TEST(Temporaries, NeedAFolderAndNameTheVariable) {
  const testing::TemporaryFolder folder;
  const Variable variable{"TMPDIR", (folder.path() / "none").string()};
  try {
    const TemporaryFolder made;
    FAIL() << "it was made in " << made.path();
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("no folder for temporary files"));
    EXPECT_THAT(error.what(), HasSubstr("TMPDIR"));
  }
}

TEST(Temporaries, LieInTheFolderThatIsNamed) {
  const testing::TemporaryFolder folder;
  const Variable variable{"TMPDIR", folder.path().string()};
  EXPECT_EQ(TemporaryFolder{}.path().parent_path(), folder.path());
}

}  // namespace
}  // namespace thimble
