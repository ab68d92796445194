#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thimble/core/error.hpp>
#include <thimble/nn/propagation/tensor.hpp>
#include <thimble/nn/record_file.hpp>

namespace thimble::record_file_test {
namespace {

namespace fs = std::filesystem;

/// Files of three records: two label bytes, then 2 x 2 x 3 pixels.
class RecordFilesTest : public ::testing::Test {
 protected:
  RecordFilesTest() {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::path{::testing::TempDir()} /
              ("thimble_" + std::to_string(::getpid()) + "_" + test->name());
    fs::create_directories(folder_);
  }
  ~RecordFilesTest() override {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  static RecordFormat format() {
    return {.shape = {2, 2, 3},
            .classes = 10,
            .labels = 2,
            .label = 1,
            .mean = {10.0F, 20.0F},
            .spread = {2.0F, 4.0F}};
  }

  /// Record r has the labels 200 and first + r, and the pixels 100 r + 0, 1, 2, ...
  static std::string three_records(int first) {
    std::string bytes;
    for (int record = 0; record < 3; ++record) {
      bytes += static_cast<char>(200);
      bytes += static_cast<char>(first + record);
      for (int i = 0; i < 12; ++i) bytes += static_cast<char>(100 * record + i);
    }
    return bytes;
  }

  fs::path write(const std::string& name, const std::string& bytes) const {
    std::ofstream{folder_ / name, std::ios::binary} << bytes;
    return folder_ / name;
  }

  static std::vector<Diagnostic> problems_of(const std::vector<fs::path>& files) {
    try {
      const RecordFiles records{format(), files, 3, "fetch it"};
    } catch (const InputError& error) {
      return error.diagnostics();
    }
    return {};
  }

  fs::path folder_;
};

TEST_F(RecordFilesTest, ReadsNormalisedImagesAndLabelsInTheOrderAskedFor) {
  const RecordFiles records{
      format(), {write("a", three_records(0)), write("b", three_records(5))}, 3};
  EXPECT_EQ(records.size(), 6);
  const std::vector<std::int64_t> indices{5, 0, 3, 5};
  const Samples samples = records.batch(indices);

  EXPECT_EQ(samples.images.sizes(), (std::vector<std::int64_t>{4, 2, 2, 3}));
  EXPECT_EQ(samples.images.scalar_type(), at::kFloat);
  EXPECT_EQ(samples.labels.scalar_type(), at::kLong);
  EXPECT_TRUE(samples.labels.equal(at::tensor({7, 0, 5, 7}, at::kLong)));
  for (std::int64_t n = 0; n < 4; ++n) {
    const int record = static_cast<int>(indices[static_cast<std::size_t>(n)] % 3);
    for (int channel = 0; channel < 2; ++channel)
      for (int i = 0; i < 6; ++i) {
        const auto byte = static_cast<float>(100 * record + 6 * channel + i);
        const float wanted = channel == 0 ? (byte - 10.0F) / 2.0F : (byte - 20.0F) / 4.0F;
        EXPECT_EQ(samples.images[n][channel][i / 3][i % 3].item<float>(), wanted);
      }
  }
}

TEST_F(RecordFilesTest, ReadsTheLabelByteItIsTold) {
  RecordFormat other = format();
  other.label = 0;
  other.classes = 201;
  const RecordFiles records{other, {write("a", three_records(0))}, 3};
  EXPECT_EQ(records.batch(std::vector<std::int64_t>{2}).labels.item<std::int64_t>(), 200);
}

TEST_F(RecordFilesTest, SplitsReadTrainingAndTestRecords) {
  const RecordSplits records{format(),
                             {{write("a", three_records(0)), write("b", three_records(3))}, 3},
                             {{write("t", three_records(6))}, 3},
                             "fetch it"};
  const DatasetInfo info = records.describe();
  EXPECT_EQ(info.shape, format().shape);
  EXPECT_EQ(info.classes, 10);
  EXPECT_EQ(info.train_samples, 6);
  EXPECT_EQ(info.test_samples, 3);
  const std::vector<std::int64_t> last{2};
  EXPECT_EQ(records.batch(Split::train, last).labels.item<std::int64_t>(), 2);
  EXPECT_EQ(records.batch(Split::test, last).labels.item<std::int64_t>(), 8);
}

TEST_F(RecordFilesTest, SplitsNeedTestFilesOnlyWhenTheyAreAskedForThem) {
  const RecordSplits records{
      format(), {{write("a", three_records(0))}, 3}, {{folder_ / "t"}, 3}, "fetch it"};
  EXPECT_EQ(records.describe().test_samples, 0);
  try {
    records.batch(Split::test, std::vector<std::int64_t>{0});
    FAIL() << "there is no such file";
  } catch (const InputError& error) {
    EXPECT_EQ(error.diagnostics().front().where.file, (folder_ / "t").string());
    EXPECT_EQ(error.diagnostics().front().note, "fetch it");
  }
}

TEST_F(RecordFilesTest, SplitsTellChangedFilesApart) {
  const auto one = write("one.bin", three_records(1)), test = folder_ / "test.bin";
  const auto of = [&] { return RecordSplits{format(), {{one}, 3}, {{test}, 3}, ""}.fingerprint(); };
  const std::uint64_t alone = of();
  write("test.bin", three_records(2));
  const std::uint64_t both = of();
  EXPECT_NE(both, alone);
  EXPECT_EQ(of(), both);
  for (const fs::path& file : {one, test}) {
    std::string changed = three_records(file == one ? 1 : 2);
    ++changed[30];
    write(file.filename(), changed);
    EXPECT_NE(of(), both) << file;
    write(file.filename(), three_records(file == one ? 1 : 2));
  }
  EXPECT_EQ(of(), both);
}

TEST_F(RecordFilesTest, GivesAnEmptyBatchWhenNothingIsAskedFor) {
  const RecordFiles records{format(), {write("a", three_records(0))}, 3};
  const Samples samples = records.batch({});
  EXPECT_EQ(samples.images.sizes(), (std::vector<std::int64_t>{0, 2, 2, 3}));
  EXPECT_EQ(samples.labels.numel(), 0);
}

TEST_F(RecordFilesTest, CanBeMoved) {
  RecordFiles first{format(), {write("a", three_records(0))}, 3};
  const RecordFiles second{std::move(first)};
  EXPECT_EQ(second.batch(std::vector<std::int64_t>{1}).labels.item<std::int64_t>(), 1);
}

TEST_F(RecordFilesTest, RefusesAnIndexBeyondItsEnds) {
  const RecordFiles records{format(), {write("a", three_records(0))}, 3};
  for (const std::int64_t index : {std::int64_t{-1}, std::int64_t{3}, INT64_MIN, INT64_MAX})
    EXPECT_THROW(records.batch(std::vector<std::int64_t>{0, index}), Error) << index;
}

TEST_F(RecordFilesTest, NamesEveryFileThatIsMissingAndTheNextStepOnce) {
  const auto good = write("good", three_records(0));
  const auto problems = problems_of({folder_ / "a", good, folder_ / "b"});
  ASSERT_EQ(problems.size(), 2U);
  EXPECT_EQ(problems[0].where.file, (folder_ / "a").string());
  EXPECT_EQ(problems[0].message, "no such file, expected 42 bytes (3 records of 14)");
  EXPECT_EQ(problems[0].note, "");
  EXPECT_EQ(problems[1].where.file, (folder_ / "b").string());
  EXPECT_EQ(problems[1].note, "fetch it");
}

TEST_F(RecordFilesTest, RefusesFilesOfAnotherSize) {
  const std::string bytes = three_records(0);
  const auto message_of = [&](const std::string& content) {
    const auto problems = problems_of({write("a", content)});
    return problems.empty() ? "" : problems.front().message;
  };
  EXPECT_EQ(message_of(bytes.substr(0, 41)), "found 41 bytes, expected 42 bytes (3 records of 14)");
  EXPECT_EQ(message_of(bytes + '\0'), "found 43 bytes, expected 42 bytes (3 records of 14)");
  EXPECT_EQ(message_of({}), "found 0 bytes, expected 42 bytes (3 records of 14)");
  EXPECT_EQ(message_of(bytes), "");
}

TEST_F(RecordFilesTest, RefusesWhatIsNoFile) {
  const auto pipe = folder_ / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  for (const fs::path& path : {folder_, pipe}) {
    const auto problems = problems_of({path});
    ASSERT_EQ(problems.size(), 1U) << path;
    EXPECT_EQ(problems[0].message, "not a file, expected 42 bytes (3 records of 14)");
  }
}

TEST_F(RecordFilesTest, NamesFileAndRecordOfALabelThatIsNoClass) {
  const auto bad = write("b", three_records(8));  // labels 8, 9, 10
  const RecordFiles records{format(), {write("a", three_records(0)), bad}, 3};
  EXPECT_NO_THROW(records.batch(std::vector<std::int64_t>{3, 4}));
  try {
    records.batch(std::vector<std::int64_t>{0, 5});
    FAIL() << "no error";
  } catch (const InputError& error) {
    const Diagnostic& problem = error.diagnostics().front();
    EXPECT_EQ(problem.where.file, bad.string());
    EXPECT_EQ(problem.message, "label 10 in record 2 (the first is 0), expected 0 to 9");
  }
}

TEST_F(RecordFilesTest, RefusesAFormatThatDoesNotFitTogether) {
  const auto file = write("a", three_records(0));
  RecordFormat one_mean = format();
  one_mean.mean.pop_back();
  EXPECT_THROW((RecordFiles{one_mean, {file}, 3}), Error);
  RecordFormat no_such_label = format();
  no_such_label.label = 2;
  EXPECT_THROW((RecordFiles{no_such_label, {file}, 3}), Error);
}

}  // namespace
}  // namespace thimble::record_file_test
