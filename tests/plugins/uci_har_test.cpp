// The data set in both layouts, written here, and the real one, where it is.

#include <cmath>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <support/datasets.hpp>
#include <thimble/dataset.hpp>
#include <thimble/nn/propagation/tensor.hpp>

namespace thimble::uci_har_test {
namespace {

namespace fs = std::filesystem;
using testing::npy;
using testing::write;

constexpr int kSensors = 9;
constexpr int kLength = 128;

/// What is written for one part of the data; window i of it has the value reading(i, sensor, time).
struct Part {
  std::string name;
  std::vector<int> activities;  // 0 to 5
  std::vector<int> people;
};

/// In steps of 1/8192 g or 1/4096 rad/s.
int reading(const Part& part, std::size_t window, int sensor, int time) {
  const int person = part.people[window];
  return 100 * person + 37 * sensor + (time * (sensor + 3) + 11 * part.activities[window]) % 101;
}

double step(int sensor) { return sensor / 3 == 1 ? 1.0 / 4096 : 1.0 / 8192; }

std::string column(const std::vector<int>& numbers, int offset) {
  std::string text;
  for (const int number : numbers) text += fmt::format("{}\n", number + offset);
  return text;
}

/// As the repository has it: blanks before every number, three digits of exponent.
void write_text(const fs::path& folder, const Part& part) {
  write(folder / part.name / ("y_" + part.name + ".txt"), column(part.activities, 1));
  write(folder / part.name / ("subject_" + part.name + ".txt"), column(part.people, 0));
  for (int sensor = 0; sensor < kSensors; ++sensor) {
    std::string text;
    for (std::size_t window = 0; window < part.people.size(); ++window) {
      for (int time = 0; time < kLength; ++time)
        text +=
            fmt::format("  {:.9f}e+001", reading(part, window, sensor, time) * step(sensor) / 10);
      text += "\n";
    }
    const char* const quantity =
        std::vector{"body_acc", "body_gyro", "total_acc"}[static_cast<std::size_t>(sensor / 3)];
    write(folder / part.name / "Inertial Signals" /
              fmt::format("{}_{}_{}.txt", quantity, "xyz"[sensor % 3], part.name),
          text);
  }
}

std::string as_bytes(const std::vector<int>& numbers) { return {numbers.begin(), numbers.end()}; }

void write_arrays(const fs::path& folder, const Part& part) {
  const std::size_t windows = part.people.size();
  std::string signals;
  for (std::size_t window = 0; window < windows; ++window)
    for (int sensor = 0; sensor < kSensors; ++sensor)
      for (int time = 0; time < kLength; ++time) {
        const int value = reading(part, window, sensor, time);
        signals += static_cast<char>(value % 256);
        signals += static_cast<char>(value / 256);
      }
  const auto file = [&](const std::string& name) { return folder / fmt::format("{}.npy", name); };
  write(file("X_" + part.name + "_i16"), npy("<i2", fmt::format("({}, 9, 128)", windows), signals));
  write(file("y_" + part.name + "_u8"),
        npy("|u1", fmt::format("({},)", windows), as_bytes(part.activities)));
  write(file("subject_" + part.name + "_u8"),
        npy("|u1", fmt::format("({},)", windows), as_bytes(part.people)));
}

const std::vector<Part>& parts() {
  static const std::vector<Part> both{{"train", {0, 5, 2, 1}, {1, 3, 3, 30}},
                                      {"test", {4, 3}, {2, 24}}};
  return both;
}

class UciHar : public ::testing::Test {
 protected:
  UciHar() {
    for (const Part& part : parts()) {
      write_text(data() / "text", part);
      write_arrays(data() / "arrays", part);
    }
  }

  const fs::path& data() const { return folder_.path(); }

  std::unique_ptr<Dataset> open(const std::string& yaml) const { return open_in(data(), yaml); }

  static std::unique_ptr<Dataset> open_in(const fs::path& data, const std::string& yaml) {
    PluginLoader loader = testing::plugins(data);
    return testing::make<Dataset>(loader, "uci_har", yaml);
  }

  std::string problem(const std::string& yaml) const {
    try {
      open(yaml);
    } catch (const InputError& error) {
      const auto& [where, message, note] = error.diagnostics().front();
      EXPECT_FALSE(note.empty()) << message;
      if (where.line == 0) return message;
      return fmt::format("{}:{}:{}: {}", fs::path{where.file}.filename().string(), where.line,
                         where.column, message);
    }
    return "nothing";
  }

  testing::TemporaryFolder folder_;
};

TEST_F(UciHar, ReadsTheSameFromBothLayouts) {
  const auto text = open("{folder: text}"), arrays = open("{folder: arrays}");
  for (const Split split : {Split::train, Split::test}) {
    const Samples a = testing::all_samples(*text, split), b = testing::all_samples(*arrays, split);
    EXPECT_TRUE(at::equal(a.labels, b.labels));
    EXPECT_TRUE(at::allclose(a.images, b.images, 1e-4, 1e-4));
  }
}

TEST_F(UciHar, HasTimeDownAndNormalisedSensorsAcross) {
  const Samples train = testing::all_samples(*open("{folder: text}"), Split::train);
  ASSERT_EQ(train.images.sizes(), (std::vector<std::int64_t>{4, 1, kLength, kSensors}));
  EXPECT_TRUE(at::equal(train.labels, at::tensor(std::vector<std::int64_t>{0, 5, 2, 1})));
  at::Tensor raw = at::empty({4, 1, kLength, kSensors});
  for (int window = 0; window < 4; ++window)
    for (int time = 0; time < kLength; ++time)
      for (int sensor = 0; sensor < kSensors; ++sensor)
        raw[window][0][time][sensor] =
            reading(parts()[0], static_cast<std::size_t>(window), sensor, time) * step(sensor);
  const at::Tensor mean = raw.mean({0, 1, 2}, true);
  const at::Tensor deviation = raw.std({0, 1, 2}, /*unbiased=*/false, true);
  EXPECT_TRUE(at::allclose(train.images, (raw - mean) / deviation, 1e-4, 1e-4));
}

TEST_F(UciHar, SplitsByPerson) {
  const auto official = open("{folder: arrays}");
  EXPECT_EQ(official->describe().test_samples, 2);
  EXPECT_EQ(official->describe().remark, "");
  const auto other = open("{folder: arrays, test_people: [3]}");
  EXPECT_EQ(other->describe().train_samples, 4);
  EXPECT_EQ(other->describe().remark, "not the official split");
  EXPECT_TRUE(at::equal(testing::all_samples(*other, Split::test).labels,
                        at::tensor(std::vector<std::int64_t>{5, 2})));
  EXPECT_EQ(problem("{folder: arrays, test_people: [1, 2, 3, 24, 30]}"),
            "dataset 'uci_har': everybody is in 'test_people', nobody is left to train with");
}

TEST_F(UciHar, SaysWhatIsWrongWithItsFiles) {
  EXPECT_EQ(problem("{folder: none}"), "neither 'train/' nor 'X_train_i16.npy' is there");

  const fs::path text = data() / "text/train";
  write(text / "y_train.txt", "1\n7\n3\n2\n");
  EXPECT_EQ(problem("{folder: text}"), "y_train.txt:2:1: 7 is none of 1 to 6");
  write(text / "y_train.txt", "1\n6\n three\n2\n");
  EXPECT_EQ(problem("{folder: text}"), "y_train.txt:3:2: 'three' is no number");
  write(text / "y_train.txt", "1\n6\n3 3\n2\n");
  EXPECT_EQ(problem("{folder: text}"), "y_train.txt:3:1: 2 numbers in a line, expected 1");
  write(text / "y_train.txt", "\xef\xbb\xbf\x31\n6\n1e300\r\n2\n");
  EXPECT_EQ(problem("{folder: text}"),
            "y_train.txt:3:1: '1e300' is out of range for a number of 32 bits");
  write(text / "y_train.txt", "1\n6\n1e300x\n2\n");
  EXPECT_EQ(problem("{folder: text}"), "y_train.txt:3:1: '1e300x' is no number");
  write(text / "y_train.txt", "1\n6\ninf\n2\n");
  EXPECT_EQ(problem("{folder: text}"), "y_train.txt:3:1: 'inf' is no number");
  write(text / "y_train.txt", "1\n\xff\n");
  EXPECT_EQ(problem("{folder: text}"), "y_train.txt:2:1: not UTF-8 text");
  write(text / "y_train.txt", "1\n6\n3\n");
  EXPECT_THAT(problem("{folder: text}"), ::testing::StartsWith("4 windows, and 3 labels in "));
  write(text / "y_train.txt", "1\n6\n3\n2\n");
  EXPECT_EQ(problem("{folder: text}"), "nothing");
  write(text / "subject_train.txt", "1\n3\n0\n30\n");
  EXPECT_EQ(problem("{folder: text}"), "subject_train.txt:3:1: 0 is none of 1 to 30");
  write(text / "subject_train.txt", "1\n3\n");
  EXPECT_EQ(problem("{folder: text}"),
            "as many people as labels are expected for 'train', found 2 and 4");

  const fs::path labels = data() / "arrays/y_test_u8.npy";
  write(labels, npy("|u1", "(3,)", "ab"));
  EXPECT_EQ(problem("{folder: arrays}"),
            "2 bytes of elements, expected 3 for |u1 of the shape (3)");
  write(labels, npy("<i8", "(2,)", std::string{"\7"} + std::string(15, '\0')));
  EXPECT_EQ(problem("{folder: arrays}"), "7 is none of 0 to 5");
  write(labels, "NUMPY");
  EXPECT_EQ(problem("{folder: arrays}"), "not an array saved by NumPy");
}

TEST_F(UciHar, HasTheOfficialWindowsOfEachActivity) {
  THIMBLE_NEEDS_DATA("uci_har");
  const auto real = open_in(testing::test_data(), "{}");
  const auto counts = [&](Split split) {
    return at::bincount(testing::all_samples(*real, split).labels, {}, 6);
  };
  // As the data set's authors count them.
  EXPECT_TRUE(at::equal(counts(Split::train),
                        at::tensor(std::vector<std::int64_t>{1226, 1073, 986, 1286, 1374, 1407})));
  EXPECT_TRUE(at::equal(counts(Split::test),
                        at::tensor(std::vector<std::int64_t>{496, 471, 420, 491, 532, 537})));
  const at::Tensor train = testing::all_samples(*real, Split::train).images;
  EXPECT_LT(train.mean({0, 1, 2}).abs().max().item<double>(), 1e-3);
  EXPECT_LT((train.std({0, 1, 2}, false, false) - 1).abs().max().item<double>(), 1e-3);
}

}  // namespace
}  // namespace thimble::uci_har_test
