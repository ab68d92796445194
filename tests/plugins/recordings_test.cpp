// Small recordings, written here.

#include <string>
#include <vector>

#include <fmt/format.h>

#include <support/datasets.hpp>
#include <thimble/dataset.hpp>

namespace thimble::recordings_test {
namespace {

namespace fs = std::filesystem;

class Recordings : public ::testing::Test {
 protected:
  std::unique_ptr<Dataset> open(const std::string& yaml) const {
    PluginLoader loader = testing::plugins(folder_.path());
    return testing::make<Dataset>(loader, "recordings", "{folder: mine, " + yaml + "}");
  }
  std::string problem(const std::string& yaml) const {
    return testing::problem_of([&] { open(yaml); });
  }
  void add(const std::string& name, const std::string& text) const {
    testing::write(folder_.path() / "mine" / name, text);
  }

  /// Seven moments of anna, of which five are walking, and four of ben.
  void add_people() const {
    add("a.csv",
        "t,x,y,what,who\n0,0,10,walk,anna\n1,1,11,walk,anna\n2,2,12,walk,anna\n3,3,13,walk,anna\n"
        "4,4,14,walk,anna\n5,5,15,sit,anna\n6,6,16,sit,anna\n");
    add("b.csv",
        "t,x,y,what,who\n0,7,17,sit,ben\n1,8,18,sit,ben\n2,9,19,walk,ben\n3,1,2,walk,ben\n");
  }

  testing::TemporaryFolder folder_;
};

const std::string kColumns = "signals: [x, y], label: what, group: who, length: 2";
const std::string kRaw = ", mean: [0], spread: [1]";

std::vector<float> values(const Dataset& dataset, Split split) {
  const at::Tensor flat = testing::all_samples(dataset, split).images.flatten();
  return {flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel()};
}

TEST_F(Recordings, AreCutIntoWindowsOfOneLabelAndPerson) {
  add_people();
  const auto dataset = open(kColumns + ", stride: 1, test_groups: [ben]" + kRaw);
  const DatasetInfo info = dataset->describe();
  EXPECT_EQ(info.shape, (Shape{2, 1, 2}));
  EXPECT_EQ(info.medium, Medium::series);
  EXPECT_EQ(info.class_names, (std::vector<std::string>{"sit", "walk"}));
  EXPECT_EQ(dataset->labels(Split::train), (std::vector<std::int64_t>{1, 1, 1, 1, 0}));
  EXPECT_EQ(dataset->labels(Split::test), (std::vector<std::int64_t>{0, 1}));
  EXPECT_EQ(dataset->groups(Split::test), (std::vector<std::int64_t>{1, 1}));
  EXPECT_EQ(values(*dataset, Split::test), (std::vector<float>{7, 8, 17, 18, 9, 1, 19, 2}));

  const auto rows =
      open(kColumns + ", test_groups: [anna], layout: rows, class_names: [walk, sit]" +
           kRaw);  // a stride of 2
  EXPECT_EQ(rows->describe().shape, (Shape{1, 2, 2}));
  EXPECT_EQ(rows->labels(Split::test), (std::vector<std::int64_t>{0, 0, 1}));
  EXPECT_EQ(values(*rows, Split::train), (std::vector<float>{7, 17, 8, 18, 9, 19, 1, 2}));
}

TEST_F(Recordings, AreNormalisedByTheTrainingPart) {
  add_people();
  const auto dataset = open(kColumns + ", test_groups: [anna]");
  const at::Tensor train = testing::all_samples(*dataset, Split::train).images;
  EXPECT_LT(train.mean({0, 2, 3}).abs().max().item<double>(), 1e-6);
  EXPECT_LT((train.std({0, 2, 3}, false, false) - 1).abs().max().item<double>(), 1e-6);
}

TEST_F(Recordings, TakeWhatTheyLackFromATable) {
  add("one.csv", "x\n1\n2\n");
  add("two.csv", "x\n3\n4\n");
  add("list.csv", "file,label\none.csv,up\ntwo.csv,down\n");
  const auto dataset =
      open("signals: [x], table: list.csv, length: 2, test_groups: [two.csv]" + kRaw);
  EXPECT_EQ(dataset->labels(Split::train), (std::vector<std::int64_t>{1}));
  EXPECT_EQ(values(*dataset, Split::test), (std::vector<float>{3, 4}));
  EXPECT_EQ(dataset->describe().remark, "no training sample of class down");
}

TEST_F(Recordings, AreOneFileWhenTheFolderIsOne) {
  add_people();
  PluginLoader loader = testing::plugins(folder_.path());
  const auto dataset = testing::make<Dataset>(
      loader, "recordings", "{folder: mine/a.csv, signals: [x], label: what, length: 1}");
  EXPECT_EQ(dataset->describe().train_samples, 7);
  EXPECT_EQ(dataset->describe().remark,
            "no test samples: no group is small enough for test_share; 'test_groups' names some");
}

/// As spreadsheets and systems leave them.
TEST_F(Recordings, DoNotMindBlanksAndHiddenFiles) {
  add_people();
  const auto plain = open(kColumns + ", test_groups: [ben]" + kRaw);
  add("a.csv",
      "t, x ,y,what,who\n0, 0,10,walk ,anna\n1,1,11, walk,anna\n2,2,12,walk,anna \n3,3,13,walk,"
      "anna\n4,4,14,walk,anna\n5,5,15,sit,anna\n6,6,16,\tsit,anna\n");
  add("._a.csv", std::string{"\0\5\x16\7", 4});
  const auto blanks = open(kColumns + ", test_groups: [ben]" + kRaw);
  EXPECT_EQ(blanks->describe().class_names, (std::vector<std::string>{"sit", "walk"}));
  EXPECT_EQ(blanks->labels(Split::train), plain->labels(Split::train));
  EXPECT_EQ(values(*blanks, Split::train), values(*plain, Split::train));
  EXPECT_THAT(problem(kColumns + ", class_names: [sit, 'walk ']"),
              ::testing::EndsWith("error: the class 'walk ' has blanks around its name"));
  add("a.csv", "x,y,what,who, who\n1,2,sit,anna,ben\n");
  EXPECT_EQ(problem(kColumns), "a.csv:1:14: error: a second column 'who'");
}

TEST_F(Recordings, TellChangedFilesApart) {
  add_people();
  const std::uint64_t before = open(kColumns)->fingerprint();
  EXPECT_EQ(open(kColumns)->fingerprint(), before);
  EXPECT_NE(open(kColumns + ", layout: rows")->fingerprint(), before);
  const std::string text = read_file(folder_.path() / "mine/b.csv");
  for (const auto& [what, instead] : {std::pair{"18,sit", "19,sit"},
                                      {"sit,ben", "sit,eve"},
                                      {"17,sit,ben\n1,8,18,sit", "17,walk,ben\n1,8,18,walk"}}) {
    std::string changed = text;
    changed.replace(changed.find(what), std::string{what}.size(), instead);
    add("b.csv", changed);
    EXPECT_NE(open(kColumns)->fingerprint(), before) << instead;
  }
}

const std::string kHeader =
    "# a comment\n@problemName two\n@timeStamps false\n@univariate false\n"
    "@classLabel true b a\n\n@data\n";

TEST_F(Recordings, ReadTheFormatOfTheUeaArchive) {
  add("train.ts", kHeader + "1,2,3:4,5,6:a\n1.5,-2,3e1:7,8,9:b\r\n");
  add("test.ts", kHeader + "0,0,0:1,1,1:a\n");
  const auto dataset = open("train: train.ts, test: test.ts" + kRaw);
  EXPECT_EQ(dataset->describe().shape, (Shape{2, 1, 3}));
  EXPECT_EQ(dataset->describe().class_names, (std::vector<std::string>{"b", "a"}));
  EXPECT_EQ(dataset->labels(Split::train), (std::vector<std::int64_t>{1, 0}));
  EXPECT_EQ(values(*dataset, Split::train),
            (std::vector<float>{1, 2, 3, 4, 5, 6, 1.5, -2, 30, 7, 8, 9}));
  EXPECT_EQ(values(*dataset, Split::test), (std::vector<float>{0, 0, 0, 1, 1, 1}));

  add("test.ts", kHeader + "1,2:3,4,5,6:a\n");
  EXPECT_EQ(problem("train: train.ts, test: test.ts"), "test.ts:8: error: 2 values, expected 3");
  const auto fitted = open("train: train.ts, test: test.ts, length: 3" + kRaw);
  EXPECT_EQ(values(*fitted, Split::test), (std::vector<float>{1, 2, 0, 3, 4, 5}));
}

TEST_F(Recordings, SayWhatIsWrongWithAFile) {
  const auto with = [&](const std::string& text) {
    add("train.ts", text);
    add("test.ts", kHeader + "0:1:a\n");
    return problem("train: train.ts, test: test.ts");
  };
  EXPECT_EQ(with(kHeader + "1:2:c\n"), "train.ts:8: error: 'c' is no class");
  EXPECT_EQ(with(kHeader + "1:?:a\n"), "train.ts:8: error: '?' is no number");
  EXPECT_EQ(with(kHeader + "1:2:a\n1:a\n"), "train.ts:9: error: 1 dimension, expected 2");
  EXPECT_EQ(with(kHeader), "train.ts: error: no series in it");
  EXPECT_EQ(with("1:2:a\n"), "train.ts:1: error: a series before the line '@data'");
  EXPECT_EQ(with(""), "train.ts: error: no line '@data'");
  EXPECT_EQ(with("@timeStamps true\n"), "train.ts:1: error: series with time stamps are not read");
  EXPECT_EQ(with("@classLabel false\n"), "train.ts:1: error: series without classes");

  add("a.csv", "x,y,what,who\n1,2,sit,anna\n1,oops,sit,anna\n");
  EXPECT_EQ(problem(kColumns), "a.csv:3:3: error: 'oops' is no number");
  add("a.csv", "x,y,what,who\n1,1e99,sit,anna\n");
  EXPECT_EQ(problem(kColumns), "a.csv:2:3: error: '1e99' is out of range for a number of 32 bits");
  add("a.csv", "x,y,what,who\n1,-1e400,sit,anna\n");
  EXPECT_EQ(problem(kColumns),
            "a.csv:2:3: error: '-1e400' is out of range for a number of 32 bits");
  for (const std::string number : {"nan", "NaN", "inf", "-inf", "Infinity"}) {
    add("a.csv", "x,y,what,who\n1,2,sit,anna\n1," + number + ",sit,anna\n");
    EXPECT_EQ(problem(kColumns), "a.csv:3:3: error: '" + number + "' is no number");
  }
  add("a.csv", "x,y,what,who\n1,2,sitt,anna\n");
  EXPECT_EQ(problem(kColumns + ", class_names: [sit, walk]"),
            "a.csv:2:5: error: 'sitt' is no class; did you mean 'sit'?");
  add("a.csv", "x,y,what,who\n1,2,sit,anna\n1,2,,anna\n");
  EXPECT_EQ(problem(kColumns), "a.csv:3:5: error: no label");
  add("a.csv", "x,y,what,who\n1,2,sitt,anna\n");
  EXPECT_THAT(problem(kColumns), ::testing::HasSubstr("no stretch of one label has 2 rows"));
  EXPECT_THAT(problem("signals: [z], length: 1, label: what"),
              ::testing::StartsWith("a.csv:1:1: error: "));
  EXPECT_THAT(problem("signals: [x], label: what"), ::testing::HasSubstr("'length' is missing"));
  EXPECT_THAT(problem("signals: [x], label: what, length: 1"),
              ::testing::HasSubstr("all samples are of one class"));
  EXPECT_THAT(
      problem("train: a.ts"),
      ::testing::HasSubstr("neither 'signals' alone nor both 'train' and 'test' are given"));
  add("list.csv", "file,what\nnone.csv,sit\n");
  EXPECT_THAT(problem("signals: [x], label: what, length: 1, table: list.csv"),
              ::testing::HasSubstr("none.csv"));
  fs::remove_all(folder_.path() / "mine");
  EXPECT_THAT(problem(kColumns), ::testing::HasSubstr("No such file or directory"));
  fs::create_directories(folder_.path() / "mine");
  EXPECT_THAT(problem(kColumns), ::testing::HasSubstr("no file in it ends in .csv"));
}

/// As many sensors of that length would take five gigabytes.
TEST_F(Recordings, MakeNoRoomForWhatIsNoSeries) {
  add("train.ts", kHeader + std::string(20000, ':') + "a\n");
  EXPECT_EQ(problem("train: train.ts, test: train.ts, length: 65536"),
            "train.ts:8: error: '' is no number");
}

TEST_F(Recordings, SayWhatToDoAboutFoldersWithinTheirs) {
  const auto note = [&] {
    try {
      open(kColumns);
    } catch (const InputError& error) {
      return error.diagnostics().front().note;
    }
    return std::string{"nothing was wrong"};
  };
  fs::create_directories(folder_.path() / "mine");
  EXPECT_EQ(note(), "'folder' says where the files are");
  add("anna/a.csv", "x,y,what,who\n1,2,sit,anna\n");
  EXPECT_EQ(note(),
            "files of folders within it are not read: name them in a 'table', or one of the "
            "folders as 'folder'");
}

}  // namespace
}  // namespace thimble::recordings_test
