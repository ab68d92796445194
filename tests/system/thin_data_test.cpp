// Trainings on data of a few samples, of which some classes have one or none.

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include <support/datasets.hpp>
#include <support/training_run.hpp>

namespace thimble::thin_data_test {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using testing::content;
using testing::Finished;
using ::testing::HasSubstr;
using testing::thimble_command;
using testing::TrainingRun;

/// Arrays of series with these labels, half of them to train with and half to test with.
class ThinData : public TrainingRun {
 protected:
  Finished run_on(const std::vector<std::uint8_t>& labels, const std::string& more) const {
    const std::size_t count = labels.size();
    std::vector<std::int8_t> values(count * 32);
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = static_cast<std::int8_t>(7 * i % 100);
    std::vector<std::uint8_t> split(count);
    std::fill(split.begin() + static_cast<std::ptrdiff_t>(count / 2), split.end(), 1);
    const fs::path data = here_.path() / "data/thin";
    const std::string rows = std::to_string(count);
    testing::write(data / "X.npy",
                   testing::npy("|i1", "(" + rows + ", 1, 32)", testing::bytes_of(values)));
    testing::write(data / "y.npy",
                   testing::npy("|u1", "(" + rows + ",)", testing::bytes_of(labels)));
    testing::write(data / "split.npy",
                   testing::npy("|u1", "(" + rows + ",)", testing::bytes_of(split)));
    testing::write(data / "thin.yaml",
                   "{X: X.npy, y: y.npy, split: split.npy, axes: NCT, layout: rows, classes: 8}");
    return run(
        "--data data 'dataset={use: arrays, file: thin/thin.yaml}' 'search_space={use: zoo, "
        "networks: [cnn_1d], height: 32, width: 1, classes: 8}' 'train={epochs: 2, seeds: "
        "[1]" +
        more + "}'");
  }
};

TEST_F(ThinData, MayHaveOneSampleAClass) {
  const std::vector<std::uint8_t> one{0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7};
  const Finished all = run_on(one, "");
  EXPECT_EQ(all.code, 0) << all.errors;
  const Finished some = run_on(one, ", validation: 0.5");
  EXPECT_EQ(some.code, 2);
  EXPECT_THAT(some.errors, AllOf(HasSubstr("leaves 4 samples to learn from"), HasSubstr("note")));
}

TEST_F(ThinData, IsKnownAgain) {
  const std::vector<std::uint8_t> labels{0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7};
  const std::string network = folder(run_on(labels, "")).string() + " --network 1 --data data";
  const std::string evaluate = "evaluate " + network;
  const Finished same = thimble_command(evaluate, here_.path());
  EXPECT_EQ(same.code, 0) << same.errors;
  EXPECT_EQ(same.errors, "");
  testing::write(here_.path() / "data/thin/y.npy",
                 testing::npy("|u1", "(16,)",
                              testing::bytes_of<std::uint8_t>(
                                  {1, 0, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7})));
  for (const std::string& command : {evaluate, "deploy " + network + " --output c"})
    EXPECT_THAT(thimble_command(command, here_.path()).errors,
                HasSubstr("the data are not those that this network was trained on"))
        << command;
}

TEST_F(ThinData, MayLackAClass) {
  const Finished fine = run_on({0, 1, 2, 3, 4, 5, 6, 6, 0, 1, 2, 3, 4, 5, 6, 6}, "");
  ASSERT_EQ(fine.code, 0) << fine.errors;
  EXPECT_THAT(content(folder_of(fine) / "report.md"), HasSubstr("no training sample of class 7"));
}

/// Then all outputs may be alike.
TEST_F(ThinData, MayHaveOneClass) {
  const Finished one =
      run_on(std::vector<std::uint8_t>(32, 3), ", quantise: {method: qat, epochs: 2}");
  EXPECT_EQ(one.code, 0) << one.errors;
  EXPECT_THAT(content(folder_of(one) / "report.md"),
              HasSubstr("all samples to learn from are of class 3: nothing can be learned"));
}

TEST_F(ThinData, MayBeTooThin) {
  const Finished few = run_on({0, 1, 2, 0, 1, 2}, "");
  EXPECT_EQ(few.code, 2);
  EXPECT_THAT(few.errors, HasSubstr("leaves 3 samples to learn from, at least 8 are needed"));
}

}  // namespace
}  // namespace thimble::thin_data_test
