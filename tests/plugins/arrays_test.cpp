// Small arrays, written here, and real ones, where they are.

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <support/datasets.hpp>
#include <thimble/dataset.hpp>
#include <thimble/graph/graph.hpp>
#include <thimble/task.hpp>
#include <thimble/train/train_network.hpp>

namespace thimble::arrays_test {
namespace {

namespace fs = std::filesystem;
using testing::bytes_of;
using testing::npy;
using testing::write;

class Arrays : public ::testing::Test {
 protected:
  std::unique_ptr<Dataset> open(const std::string& description) const {
    write(folder_.path() / "mine/data.yaml", description);
    PluginLoader loader = testing::plugins(folder_.path());
    return testing::make<Dataset>(loader, "arrays", "{file: mine/data.yaml}");
  }

  std::string problem(const std::string& description) const {
    return testing::problem_of([&] { open(description); });
  }

  void add(const std::string& name, const std::string& bytes) const {
    write(folder_.path() / "mine" / name, bytes);
  }

  /// Four series of three points of two sensors, NCT: element i is i, and sensor 1 is 100 above.
  void add_series() const {
    std::vector<std::int16_t> values;
    for (int n = 0; n < 4; ++n)
      for (int c = 0; c < 2; ++c)
        for (int t = 0; t < 3; ++t)
          values.push_back(static_cast<std::int16_t>(10 * n + 100 * c + t));
    add("X.npy", npy("<i2", "(4, 2, 3)", bytes_of(values)));
    add("y.npy", npy("|u1", "(4,)", bytes_of<std::uint8_t>({0, 1, 0, 1})));
    add("who.npy", npy("<i8", "(4,)", bytes_of<std::int64_t>({7, 7, 9, 9})));
  }

  testing::TemporaryFolder folder_;
};

TEST_F(Arrays, GiveSeriesInEitherLayout) {
  add_series();
  const std::string text =
      "{X: X.npy, y: y.npy, groups: who.npy, test_groups: [9], axes: NCT, mean: [0, 100], "
      "spread: [1, 2]";
  const auto channels = open(text + "}"), rows = open(text + ", layout: rows}");
  EXPECT_EQ(channels->describe().shape, (Shape{2, 1, 3}));
  EXPECT_EQ(rows->describe().shape, (Shape{1, 3, 2}));
  EXPECT_EQ(channels->describe().medium, Medium::series);
  EXPECT_EQ(channels->describe().classes, 2);
  const at::Tensor test = testing::all_samples(*channels, Split::test).images;
  const std::vector<float> expected{20, 21, 22, 10, 10.5F, 11, 30, 31, 32, 15, 15.5F, 16};
  EXPECT_TRUE(at::equal(test.flatten(), at::tensor(expected)));
  EXPECT_TRUE(
      at::equal(testing::all_samples(*rows, Split::test).images.permute({0, 3, 1, 2}), test));
  EXPECT_EQ(channels->groups(Split::train), (std::vector<std::int64_t>{0, 0}));
  EXPECT_EQ(channels->labels(Split::test), (std::vector<std::int64_t>{0, 1}));
}

TEST_F(Arrays, AreOthersWhereClassesAreCalledOtherwise) {
  add_series();
  const auto of = [&](const std::string& names) {
    return open("{X: X.npy, y: y.npy, axes: NCT" + names + "}")->fingerprint();
  };
  const std::uint64_t named = of(", class_names: [sit, walk]");
  EXPECT_EQ(of(", class_names: [sit, walk]"), named);
  for (const char* const names : {"", ", class_names: [walk, sit]", ", class_names: [sitw, alk]",
                                  ", class_names: [sit, run]"})
    EXPECT_NE(of(names), named) << names;
}

TEST_F(Arrays, AreNormalisedByTheTrainingPart) {
  add_series();
  for (const char* const more : {"", ", layout: rows", ", scale: [2, 0.5], offset: [3]"}) {
    const auto dataset = open(std::string{"{X: X.npy, y: y.npy, groups: who.npy, test_groups: [9], "
                                          "axes: NCT"} +
                              more + "}");
    // 0 1 2 10 11 12 have the mean 6 and the variance 25 2/3.
    const at::Tensor train = testing::all_samples(*dataset, Split::train).images;
    EXPECT_NEAR(train.flatten()[0].item<double>(), -6 / std::sqrt(77.0 / 3), 1e-6) << more;
    EXPECT_NEAR(train.std(false).item<double>(), 1, 1e-6) << more;
    EXPECT_NEAR(train.mean().item<double>(), 0, 1e-6) << more;
  }
}

TEST_F(Arrays, AreScaledBeforeTheyAreNormalised) {
  add_series();
  const auto dataset = open(
      "{X: X.npy, y: y.npy, split: y.npy, axes: NCT, scale: [2, 0.5], offset: [1, -50], mean: [1], "
      "spread: [2]}");
  const at::Tensor train = testing::all_samples(*dataset, Split::train).images;
  EXPECT_TRUE(
      at::allclose(train[0].flatten(), at::tensor(std::vector<float>{0, 1, 2, -0.5F, -0.25F, 0})));
  EXPECT_EQ(dataset->describe().remark, "no training sample of class 1")
      << "the split is the class";
}

TEST_F(Arrays, GiveImagesWithChannelsFirst) {
  std::vector<float> values(2 * 2 * 3 * 3);  // NHWC
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  add("X.npy", npy("<f4", "(2, 2, 3, 3)", bytes_of(values)));
  add("y.npy", npy("<i4", "(2,)", bytes_of<std::int32_t>({1, 0})));
  const auto dataset = open(
      "{X: X.npy, y: y.npy, axes: NHWC, mean: [0], spread: [1], test_share: 0, "
      "class_names: [cat, dog]}");
  const DatasetInfo info = dataset->describe();
  EXPECT_EQ(info.shape, (Shape{3, 2, 3}));
  EXPECT_EQ(info.medium, Medium::images);
  EXPECT_EQ(info.class_names, (std::vector<std::string>{"cat", "dog"}));
  const at::Tensor image = testing::all_samples(*dataset, Split::train).images[0];
  EXPECT_TRUE(at::equal(image, at::arange(18, at::kFloat).view({2, 3, 3}).permute({2, 0, 1})));
}

TEST_F(Arrays, ComeInTwoParts) {
  add_series();
  add("X2.npy", npy("<i2", "(1, 2, 3)", bytes_of<std::int16_t>({1, 2, 3, 4, 5, 6})));
  add("y2.npy", npy("|i1", "(1,)", bytes_of<std::int8_t>({1})));
  const std::string train = "train: {X: X.npy, y: y.npy}";
  const auto dataset =
      open("{" + train + ", test: {X: X2.npy, y: y2.npy}, axes: NCT, mean: [0], spread: [1]}");
  EXPECT_EQ(testing::count(*dataset, Split::train), 4);
  const Samples test = testing::all_samples(*dataset, Split::test);
  EXPECT_TRUE(at::equal(test.images.flatten(), at::arange(1, 7, at::kFloat)));
  EXPECT_EQ(test.labels[0].item<std::int64_t>(), 1);
  EXPECT_EQ(problem("{" + train + ", axes: NCT}"),
            "data.yaml: error: neither 'X' alone nor both 'train' and 'test' are given");
  add("X2.npy", npy("<i2", "(1, 3, 2)", bytes_of<std::int16_t>({1, 2, 3, 4, 5, 6})));
  EXPECT_EQ(problem("{" + train + ", test: {X: X2.npy, y: y2.npy}, axes: NCT}"),
            "X2.npy: error: samples of 3x1x2, those to train with are 2x1x3");
}

TEST_F(Arrays, AreSplitByADrawOfWholeGroupsOrOfEachClass) {
  std::vector<std::uint8_t> labels, groups, places;
  for (int i = 0; i < 100; ++i) {
    places.push_back(static_cast<std::uint8_t>(i));
    labels.push_back(static_cast<std::uint8_t>(i % 2));
    groups.push_back(static_cast<std::uint8_t>(i / 10));
  }
  add("X.npy", npy("|u1", "(100, 1)", bytes_of(places)));
  add("y.npy", npy("|u1", "(100,)", bytes_of(labels)));
  add("who.npy", npy("|u1", "(100,)", bytes_of(groups)));
  const std::string text = "{X: X.npy, y: y.npy, axes: NT";
  const auto by_class = open(text + "}"), again = open(text + "}"),
             other = open(text + ", seed: 2}");
  EXPECT_EQ(by_class->describe().test_samples, 20);
  const auto tested = by_class->labels(Split::test);
  EXPECT_EQ(std::ranges::count(tested, 1), 10);
  const auto images = [](const auto& d) { return testing::all_samples(*d, Split::test).images; };
  EXPECT_TRUE(at::equal(images(by_class), images(again)));
  EXPECT_FALSE(at::equal(images(by_class), images(other)));
  const auto by_group = open(text + ", groups: who.npy, test_share: 0.35}");
  EXPECT_EQ(by_group->describe().test_samples, 30);
}

TEST_F(Arrays, ReadEveryTypeOfNumpy) {
  add("y.npy", npy("|b1", "(2,)", std::string{"\0\1", 2}));
  const auto value = [&](const std::string& type, const std::string& elements) {
    add("X.npy", npy(type, "(2, 1)", elements + elements));
    const auto dataset =
        open("{X: X.npy, y: y.npy, axes: NT, mean: [0], spread: [1], test_share: 0}");
    return testing::all_samples(*dataset, Split::train).images.flatten()[1].item<double>();
  };
  EXPECT_EQ(value("|u1", "\xfe"), 254);
  EXPECT_EQ(value("|i1", "\xfe"), -2);
  EXPECT_EQ(value("<i2", "\xfe\xff"), -2);
  EXPECT_EQ(value("<u2", "\xfe\xff"), 65534);
  EXPECT_EQ(value("<i4", bytes_of<std::int32_t>({-70000})), -70000);
  EXPECT_EQ(value("<u4", bytes_of<std::uint32_t>({70000})), 70000);
  EXPECT_EQ(value("<i8", bytes_of<std::int64_t>({-70000})), -70000);
  EXPECT_EQ(value("<f2", std::string{"\x00\xc1", 2}), -2.5);
  EXPECT_EQ(value("<f4", bytes_of<float>({-2.5F})), -2.5);
  EXPECT_EQ(value("<f8", bytes_of<double>({-2.5})), -2.5);

  std::string second = npy("|u1", "(2, 1)", "ab");
  second[6] = 2;  // two bytes more of the header's length
  second.insert(10, 2, '\0');
  add("X.npy", second);
  EXPECT_EQ(problem("{X: X.npy, y: y.npy, axes: NT}"), "nothing");
}

TEST_F(Arrays, SayWhatIsWrongWithAFile) {
  add_series();
  const std::string text = "{X: X.npy, y: y.npy, axes: NCT}";
  const auto with = [&](const char* name, const std::string& bytes) {
    add_series();
    add(name, bytes);
    return problem(text);
  };
  const std::string good = npy("|u1", "(4,)", std::string(4, '\0'));
  EXPECT_EQ(with("y.npy", "hello"), "y.npy: error: not an array saved by NumPy");
  EXPECT_EQ(with("y.npy", ""), "y.npy: error: not an array saved by NumPy");
  EXPECT_EQ(with("y.npy", std::string{good}.replace(6, 1, "\3")),
            "y.npy: error: not of NumPy's format 1.0 or 2.0");
  EXPECT_EQ(with("y.npy", good.substr(0, 50)),
            "y.npy: error: its header of 118 bytes is cut off, or that of no plain array");
  EXPECT_EQ(with("y.npy", good.substr(0, good.size() - 1)),
            "y.npy: error: 3 bytes of elements, expected 4 for |u1 of the shape (4)");
  EXPECT_EQ(with("y.npy", std::string{good}.replace(good.find("False"), 5, "True ")),
            "y.npy: error: its elements are in Fortran's order");
  EXPECT_EQ(with("y.npy", npy(">i2", "(4,)", std::string(8, '\0'))),
            "y.npy: error: elements of type '>i2' are not read");
  EXPECT_EQ(with("y.npy", npy("<f4", "(4,)", std::string(16, '\0'))),
            "y.npy: error: <f4 of the shape (4), expected whole numbers of the shape (N)");
  EXPECT_EQ(with("y.npy", npy("|u1", "(4, 1)", std::string(4, '\0'))),
            "y.npy: error: |u1 of the shape (4, 1), expected whole numbers of the shape (N)");
  EXPECT_EQ(with("y.npy", npy("|u1", "()", "a")), "y.npy: error: a single number, no array");
  EXPECT_EQ(with("y.npy", npy("|u1", "(0,)", "")), "y.npy: error: its shape (0,) has no elements");
  EXPECT_EQ(with("X.npy", npy("|u1", "(4, 9999999999, 9999999999)", "a")),
            "X.npy: error: 1 byte of elements, expected 9223372036854775807 for |u1 of the shape "
            "(4, 9999999999, 9999999999)");
  EXPECT_THAT(with("y.npy", npy("|u1", "(3,)", "abc")),
              ::testing::StartsWith("y.npy: error: 3 rows, and 4 samples in "));
  EXPECT_EQ(with("y.npy", npy("|i1", "(4,)", bytes_of<std::int8_t>({0, 1, -1, 1}))),
            "y.npy: error: class -1 in row 2 (the first is 0), expected 0 to 99999");
  EXPECT_EQ(with("y.npy", npy("|i1", "(4,)", std::string(4, '\0'))),
            "data.yaml: error: all samples are of one class");

  add("X.npy", npy("<f4", "(4, 1, 2)", bytes_of<float>({0, 1, 2, 3, 4, NAN, 6, 7})));
  add("y.npy", npy("|u1", "(4,)", bytes_of<std::uint8_t>({0, 1, 0, 1})));
  const auto dataset = open("{X: X.npy, y: y.npy, axes: NCT, test_share: 0}");
  EXPECT_EQ(testing::problem_of([&] { testing::all_samples(*dataset, Split::train); }),
            "X.npy: error: element 1 of row 2 (the first are 0) is nan");
}

TEST_F(Arrays, SayWhatIsWrongWithTheirDescription) {
  add_series();
  const auto with = [&](const std::string& more) {
    return problem("X: X.npy\ny: y.npy\naxes: NCT\n" + more + "\n");
  };
  EXPECT_EQ(with("class_names: [sit, \"w\u202ealk\"]"),
            "data.yaml: error: the class 'w\\u202ealk' has control characters");
  EXPECT_EQ(problem("{X: X.npy, y: y.npy}"),
            "data.yaml:1:1: error: missing key 'axes' for the arrays");
  EXPECT_EQ(problem("{X: X.npy, y: y.npy, axes: NTHW}"),
            "data.yaml:1:28: error: 'axes' cannot be 'NTHW'; did you mean 'NCHW'?");
  EXPECT_EQ(problem("{X: X.npy, y: y.npy, axes: NCHW}"),
            "X.npy: error: 3 dimensions, and the axes NCHW are 4");
  EXPECT_EQ(problem("{X: X.npy, axes: NCT}"), "data.yaml: error: 'X' or 'y' is missing");
  EXPECT_EQ(with("test: {X: X.npy}"),
            "data.yaml: error: neither 'X' alone nor both 'train' and 'test' are given");
  EXPECT_EQ(with("groups: who.npy\ntest_groups: [8]"),
            "data.yaml: error: no sample is of the group '8' of 'test_groups'");
  EXPECT_EQ(with("groups: who.npy\ntest_groups: [7, 9]"),
            "data.yaml: error: no sample is left to train with");
  EXPECT_EQ(with("groups: who.npy\ntest_groups: [7]\nsplit: who.npy"),
            "data.yaml: error: 'split' and 'test_groups' both say what is tested on");
  EXPECT_EQ(with("test_groups: [7]"), "data.yaml: error: 'test_groups' without groups");
  EXPECT_EQ(with("groups: who.npy\nsplit: y.npy"),
            "data.yaml: error: the group of sample 1 (the first is 0) is both in the training and "
            "in the test part");
  EXPECT_EQ(with("split: who.npy"), "who.npy: error: 7 in row 0 (the first is 0)");
  EXPECT_EQ(with("mean: [1]"), "data.yaml: error: only one of 'mean' and 'spread' is given");
  EXPECT_EQ(with("mean: [1]\nspread: [0]"), "data.yaml: error: a 'spread' is not above 0");
  EXPECT_EQ(with("scale: [1, 2, 3]"),
            "data.yaml: error: 'scale' has 3 numbers, and there are 2 channels");
  EXPECT_EQ(with("classes: 3\nclass_names: [a, b]"),
            "data.yaml: error: 2 class names, and 'classes' is 3");
  EXPECT_EQ(with("class_names: [a, a]"), "data.yaml: error: two classes are called 'a'");
  EXPECT_EQ(with("class_names: [a, '']"), "data.yaml: error: a class has no name");
  EXPECT_EQ(with("class_names: [a, ' b']"),
            "data.yaml: error: the class ' b' has blanks around its name");
  EXPECT_EQ(open("{X: X.npy, y: y.npy, axes: NCT, test_share: 0}")->describe().remark,
            "no test samples");
  EXPECT_EQ(open("{X: X.npy, y: y.npy, axes: NCT, classes: 3}")->describe().remark,
            "no test samples: no class is large enough for test_share; no training sample of class "
            "2");
}

struct Real {
  std::string folder;
  std::string rest;  // of the description
  Shape shape;
  int classes;
  std::int64_t train;
  std::int64_t test;
  std::vector<std::int64_t> first_counts = {};  // samples of the first classes
};

/// As their READMEs count them.
std::vector<Real> real_data() {
  const std::string image = "{X: X_u8.npy, y: y_u8.npy, split: split_u8.npy, axes: NCHW";
  const std::string people =
      "{X: X_i16.npy, y: y_u8.npy, groups: subject_u8.npy, axes: NCT, test_groups: ";
  std::vector<Real> all{
      {"gtsrb", image + ", groups: track_u8.npy}", {3, 32, 32}, 43, 5448, 1656},
      {"cifar100_part", image + "}", {3, 32, 32}, 100, 6000, 2000, {80, 80}},
      {"utd_mhad", people + "[2, 4, 6, 8]}", {66, 1, 96}, 27, 431, 430},
      {"vicon_physical_action", people + "[1, 2]}", {27, 1, 64}, 20, -1, 4421},
      {"phone_watch_har",
       people + "[1, 5, 9]}",
       {12, 1, 100},
       5,
       -1,
       4126,
       {277, 446, 2068, 837, 498}},
      {"cwru_bearing",
       "{X: X_i16.npy, y: y_u8.npy, groups: load_u8.npy, test_groups: [3], axes: NCT}",
       {2, 1, 512},
       10,
       -1,
       8677,
       {119}},
      {"spoken_digits",
       "{X: X_i8.npy, y: y_u8.npy, split: split_u8.npy, axes: NTC, layout: rows, scale: [1.6], "
       "offset: [-48, 0, 0, 0, 0, 0, 0, 0, 0, 0]}",
       {1, 49, 10},
       10,
       2700,
       300,
       {300, 300}}};
  const auto uea = [&](const std::string& name, std::int64_t train, std::int64_t test, int channels,
                       int length, int classes) {
    std::string text;
    for (const char* const part : {"train", "test"})
      text += fmt::format("{0}: {{X: {1}_X_{0}_i16.npy, y: {1}_y_{0}_u8.npy}}\n", part, name);
    all.push_back({"uea_small", text + "axes: NCT", {channels, 1, length}, classes, train, test});
  };
  uea("NATOPS", 180, 180, 24, 51, 6);
  uea("RacketSports", 151, 152, 6, 30, 4);
  uea("BasicMotions", 40, 40, 6, 100, 4);
  uea("Epilepsy", 137, 138, 3, 206, 4);
  uea("JapaneseVowels", 270, 370, 12, 29, 9);
  uea("Libras", 180, 180, 2, 45, 15);
  uea("Handwriting", 150, 850, 3, 152, 26);
  return all;
}

/// The description with whole paths: it lies elsewhere.
std::string description_of(const Real& real) {
  const fs::path folder = fs::absolute(testing::test_data()) / real.folder;
  std::string text = real.rest;
  for (std::size_t at = 0; (at = text.find(".npy", at)) != std::string::npos;) {
    const std::size_t begin = text.find_last_of(' ', at) + 1;
    text.insert(begin, folder.string() + "/");
    at += folder.string().size() + 5;
  }
  return text;
}

TEST_F(Arrays, OpenRealData) {
  for (const Real& real : real_data()) {
    THIMBLE_NEEDS_DATA(real.folder);
    SCOPED_TRACE(real.folder + real.rest);
    const auto dataset = open(description_of(real));
    const DatasetInfo info = dataset->describe();
    EXPECT_EQ(info.shape, real.shape);
    EXPECT_EQ(info.classes, real.classes);
    EXPECT_EQ(info.remark, "");
    if (real.train < 0) {
      EXPECT_EQ(info.train_samples + info.test_samples, real.test);
      EXPECT_GT(info.test_samples, 0);
    } else {
      EXPECT_EQ(info.train_samples, real.train);
      EXPECT_EQ(info.test_samples, real.test);
    }
    const auto counts = testing::class_counts(*dataset);
    for (std::size_t i = 0; i < real.first_counts.size(); ++i)
      EXPECT_EQ(counts[i], real.first_counts[i]) << i;
    const at::Tensor train = testing::all_samples(*dataset, Split::train).images;
    EXPECT_LT(train.mean().abs().item<double>(), 1e-3);
    EXPECT_LT((train.std(false) - 1).abs().item<double>(), 1e-2);
  }
}

/// A small network for samples of any shape.
Graph plain_network(const Shape& shape, int classes) {
  Graph g;
  NodeId x = g.input(shape);
  const auto taps = [](int extent) { return std::min(extent, 5); };
  const auto step = [](int extent) { return extent >= 16 ? 2 : 1; };
  x = g.conv(x, {.out = 16,
                 .kernel = {taps(shape.height), taps(shape.width)},
                 .stride = {step(shape.height), step(shape.width)}});
  x = g.relu(g.batch_norm(x));
  g.linear(g.global_avg_pool(x), classes);
  return g;
}

TEST_F(Arrays, AreLearnedFrom) {
  PluginLoader loader = testing::plugins();
  const auto task = testing::make<Task>(loader, "classification");
  int trainings = 0;
  for (const Real& real : real_data()) {
    THIMBLE_NEEDS_DATA(real.folder);
    SCOPED_TRACE(real.folder + real.rest);
    const auto dataset = open(description_of(real));
    const Graph graph = plain_network(real.shape, real.classes);
    TrainingOrder order;
    order.graph = &graph;
    order.dataset = dataset.get();
    order.task = task.get();
    order.recipe.epochs = 1;
    order.recipe.learning_rate = 0.1;
    order.recipe.augmentation = {.flip = Flip::none, .crop = 0};
    order.folder = folder_.path() / std::to_string(++trainings);
    const TrainingOutcome outcome = train_network(order);
    EXPECT_LT(outcome.real.epochs.front().loss, 1.5 * std::log(real.classes));
    if (dataset->describe().train_samples > 2000) {
      EXPECT_GT(outcome.real.metrics[0], 200.0 / real.classes);
    }
  }
}

}  // namespace
}  // namespace thimble::arrays_test
