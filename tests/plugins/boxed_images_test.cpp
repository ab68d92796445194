// Images with boxes, in text files, in a table and in JSON: what is read, and what is refused.

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <support/boxes.hpp>
#include <support/datasets.hpp>
#include <support/images.hpp>
#include <support/program.hpp>
#include <support/world.hpp>
#include <thimble/core/random.hpp>
#include <thimble/nn/boxes.hpp>
#include <thimble/nn/propagation/tensor.hpp>
#include <thimble/train/training_data.hpp>

namespace thimble::boxed_images_test {
namespace {

using testing::expect_near;

using ::testing::HasSubstr;

class BoxedImages : public ::testing::Test {
 protected:
  BoxedImages() { context_.data_folder = folder_.path(); }

  std::unique_ptr<Dataset> open(const std::string& plugin, const std::string& yaml) {
    PluginLoader loader{{THIMBLE_TEST_PLUGINS}, context_};
    return testing::make<Dataset>(loader, plugin,
                                  "{folder: mine, height: 16, width: 16" + yaml + "}");
  }
  std::string problem(const std::string& plugin, const std::string& yaml = "") {
    return testing::problem_of([&] { open(plugin, yaml); });
  }
  std::filesystem::path mine() const { return folder_.path() / "mine"; }

  /// 8 x 4 pixels of one colour, or grey.
  void add_image(const std::string& name, bool is_grey = false) {
    testing::write_png(mine() / name, 8, 4, is_grey ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB,
                       testing::Bytes(is_grey ? 32 : 96, 200));
  }

  static std::vector<LabelledBox> boxes(const Dataset& data, Split split, std::int64_t sample) {
    const at::Tensor all = data.boxes(split);
    std::vector<LabelledBox> found;
    for (const LabelledBox& box : boxes_of(all, sample))
      if (box.is_there()) found.push_back(box);
    return found;
  }

  testing::TemporaryFolder folder_;
  Context context_;
};

// --- Text files ---

using YoloImages = BoxedImages;

TEST_F(YoloImages, AreLetterboxedWithTheirBoxes) {
  add_image("images/train/a.png");
  add_image("images/train/b.png", /*is_grey=*/true);
  add_image("images/val/c.png");
  testing::write(mine() / "labels/train/a.txt", "0 0.5 0.5 0.5 1\n\n1 0.25 0.5 0.1 0.2\n");
  testing::write(mine() / "labels/val/c.txt", "1 0.5 0.5 1 1");
  const auto data = open("yolo", "");
  const DatasetInfo info = data->describe();
  EXPECT_EQ(info.labels, LabelKind::boxes);
  EXPECT_EQ(info.classes, 2);
  EXPECT_EQ(info.train_samples, 2);
  EXPECT_EQ(info.test_samples, 1);
  const auto found = boxes(*data, Split::train, 0);
  ASSERT_EQ(found.size(), 2);
  // Twice as wide as high: half of the frame's height, and as much above as below.
  expect_near(found[0], {0, 0.5F, 0.5F, 0.5F, 0.5F, 0});
  expect_near(found[1], {1, 0.25F, 0.5F, 0.1F, 0.1F, 0});
  EXPECT_TRUE(boxes(*data, Split::train, 1).empty());  // no file: an image without boxes
  const at::Tensor images = testing::all_samples(*data, Split::train).images;
  EXPECT_TRUE(at::equal(images[0], images[1]));  // grey has three equal channels
  EXPECT_FALSE(at::equal(images[0][0][0], images[0][0][8]));
}

TEST_F(YoloImages, AreCutAtTheBorderAndLeftOutWithoutArea) {
  add_image("images/train/a.png");
  add_image("images/val/b.png");
  testing::write(mine() / "labels/train/a.txt",
                 "0 0.0 0.5 0.4 0.5\n0 0.5 0.5 0 0.5\n0 1.5 0.5 0.2 0.2\n");
  const auto data = open("yolo", "");
  const auto found = boxes(*data, Split::train, 0);
  ASSERT_EQ(found.size(), 1);
  expect_near(found[0], {0, 0.1F, 0.5F, 0.2F, 0.25F, 0});
  EXPECT_THAT(data->describe().remark, HasSubstr("1 box cut off at the border"));
  EXPECT_THAT(data->describe().remark, HasSubstr("2 boxes of no area in the image left out"));
}

TEST_F(YoloImages, TeachNothingWithoutBoxes) {
  add_image("images/train/a.png");
  add_image("images/val/b.png");
  EXPECT_THAT(problem("yolo", ""), HasSubstr("labels: error: there is no such folder"));
  testing::write(mine() / "labels/val/b.txt", "0 0.5 0.5 0.5 1\n");
  EXPECT_THAT(problem("yolo", ""), HasSubstr("no image to learn from has a box"));
  add_image("images/train/c.png");
  testing::write(mine() / "labels/train/c.txt", "0 0.5 0.5 0.5 1\n");
  testing::write(mine() / "labels/train/ghost.txt", "0 0.5 0.5 0.5 1\n");
  testing::write(mine() / "images/train/d.webp", "");
  const std::string remark = open("yolo", "")->describe().remark;
  EXPECT_THAT(remark, HasSubstr("1 of 2 images to learn from have no box"));
  EXPECT_THAT(remark, HasSubstr("1 label file without an image left alone"));
  EXPECT_THAT(remark, HasSubstr("1 file beside the images left alone"));
}

TEST_F(YoloImages, MayHaveTwoHundredBoxes) {
  add_image("images/train/a.png");
  add_image("images/val/b.png");
  std::string lines;
  for (int i = 0; i < 200; ++i) lines += fmt::format("0 {} 0.5 0.01 0.1\n", 0.1 + 0.004 * i);
  testing::write(mine() / "labels/train/a.txt", lines);
  const auto data = open("yolo", "");
  EXPECT_EQ(boxes(*data, Split::train, 0).size(), 200);
  EXPECT_EQ(data->boxes(Split::test).size(1), 200);
  EXPECT_TRUE(boxes(*data, Split::test, 0).empty());
}

TEST_F(YoloImages, HaveTheClassesThatAreLookedFor) {
  for (const char* const name : {"a", "b"}) add_image(fmt::format("images/train/{}.png", name));
  add_image("images/val/c.png");
  testing::write(mine() / "labels/train/a.txt", "0 0.5 0.5 0.5 1\n2 0.25 0.5 0.1 0.2\n");
  testing::write(mine() / "labels/train/b.txt", "1 0.5 0.5 0.5 1");
  testing::write(mine() / "names.txt", "cat\ndog\nbird\n");
  const auto data = open("yolo", ", names: names.txt, classes: [bird, dog]");
  EXPECT_EQ(data->describe().class_names, (std::vector<std::string>{"bird", "dog"}));
  ASSERT_EQ(boxes(*data, Split::train, 0).size(), 1);
  EXPECT_EQ(boxes(*data, Split::train, 0)[0].label, 0);
  EXPECT_EQ(boxes(*data, Split::train, 1)[0].label, 1);
  EXPECT_THAT(problem("yolo", ", names: names.txt, classes: [brid]"),
              HasSubstr("no class 'brid'; did you mean 'bird'?"));
  const auto full = open("yolo",
                         ", names: names.txt, classes: [cat], empty_images: false, "
                         "test_share: 0");
  EXPECT_EQ(full->describe().train_samples, 1);
  EXPECT_THAT(full->describe().remark, HasSubstr("2 images without a box left out"));
}

TEST_F(YoloImages, MayHaveOneTable) {
  for (const char* const name : {"1", "2", "3"}) add_image(fmt::format("images/{}.png", name));
  testing::write(mine() / "labels.csv",
                 "image,split,class,cx,cy,w,h\n1,train,0,0.5,0.5,0.5,1\n1,train,3,0.5,0.5,0.1,1\n"
                 "3.png,val,0,0.5,0.5,1,1\n");
  const auto data = open("yolo", ", table: labels.csv, classes: ['0']");
  EXPECT_EQ(data->describe().train_samples, 2);  // one of which no row tells
  EXPECT_EQ(data->describe().test_samples, 1);
  EXPECT_EQ(boxes(*data, Split::train, 0).size(), 1);
  testing::write(mine() / "labels.csv", "image,split,class,cx,cy,w,h\n1,trian,0,0.5,0.5,0.5,1\n");
  EXPECT_THAT(problem("yolo", ", table: labels.csv"),
              HasSubstr("labels.csv:2:3: error: no part 'trian'; did you mean 'train'?"));
  testing::write(mine() / "labels.csv",
                 "image,split,class,cx,cy,w,h\n1,train,0,0.5,0.5,0.5,1\n1,val,0,0.5,0.5,0.1,1\n");
  EXPECT_THAT(problem("yolo", ", table: labels.csv"),
              HasSubstr("labels.csv:3:3: error: the image is for train in a row before"));
  testing::write(mine() / "labels.csv", "image,class,cx,cy,w,h\n9,0,0.5,0.5,0.5,1\n");
  EXPECT_THAT(problem("yolo", ", table: labels.csv"),
              HasSubstr("labels.csv:2:1: error: there is no image '9'"));
}

/// Frames and boxes from the cache are those that were decoded; another frame is another file.
TEST_F(YoloImages, ComeFromTheCacheWithTheirFrames) {
  for (const char* const name : {"train/a", "train/b", "val/c"})
    add_image(fmt::format("images/{}.png", name));
  testing::write(mine() / "labels/train/a.txt", "0 0.5 0.5 0.5 1\n");
  const auto samples_of = [&](const std::string& yaml) {
    return testing::all_samples(*open("yolo", yaml), Split::train);
  };
  const auto cached = [&] {
    return std::distance(std::filesystem::directory_iterator{context_.cache_folder / "images"}, {});
  };
  const Samples plain = samples_of("");
  context_.cache_folder = folder_.path() / "cache";
  const Samples first = samples_of("");
  ASSERT_EQ(cached(), 1);
  const Samples again = samples_of("");
  EXPECT_EQ(cached(), 1);
  for (const Samples* const samples : {&first, &again}) {
    EXPECT_TRUE(at::equal(samples->images, plain.images));
    EXPECT_TRUE(at::equal(samples->labels, plain.labels));
  }
  const auto file = std::filesystem::directory_iterator {
    context_.cache_folder / "images"
    } -> path();
  std::string content = testing::content(file);
  char& first_pixel = content[3 * 2 * sizeof(std::int32_t)];  // behind the sides of three images
  first_pixel = static_cast<char>(first_pixel ^ 0x40);
  testing::write(file, content);
  EXPECT_FALSE(at::equal(samples_of("").images[0], plain.images[0])) << "it is the file";
  samples_of(", channels: 1");
  EXPECT_EQ(cached(), 2);
}

TEST_F(YoloImages, AreDrawnForTestingWhereNothingSaysSo) {
  for (int i = 0; i < 10; ++i) {
    add_image(fmt::format("images/{}.png", i));
    testing::write(mine() / fmt::format("labels/{}.txt", i), "0 0.5 0.5 0.5 1\n");
  }
  const auto data = open("yolo", ", test_share: 0.3");
  EXPECT_EQ(data->describe().test_samples, 3);
  EXPECT_EQ(data->fingerprint(), open("yolo", ", test_share: 0.3")->fingerprint());
}

TEST_F(YoloImages, AreRefusedWithTheLine) {
  add_image("images/train/a.png");
  const auto with = [&](const std::string& line) {
    testing::write(mine() / "labels/train/a.txt", "0 0.5 0.5 0.5 1\n" + line);
    return problem("yolo");
  };
  EXPECT_THAT(with("0 0.5 0.5 0.5"), HasSubstr("a.txt:2:1: error: a box has 5 numbers, found 4"));
  EXPECT_THAT(with("cat 0.5 0.5 0.5 1"), HasSubstr("a.txt:2:1: error: no class 'cat'"));
  EXPECT_THAT(with("-1 0.5 0.5 0.5 1"), HasSubstr("no class '-1'"));
  EXPECT_THAT(with("0 0.5 nan 0.5 1"), HasSubstr("no share of an image 'nan'"));
  EXPECT_THAT(with("0 0.5 0.5 -0.5 1"), HasSubstr("no share of an image '-0.5'"));
  testing::write(mine() / "labels/train/a.txt", "");
  testing::write(mine() / "images/train/b.jpg", "\xff\xd8 damaged");
  EXPECT_THAT(problem("yolo"), HasSubstr("b.jpg: error: a damaged JPEG"));
  EXPECT_THAT(problem("yolo", ", images: nowhere"), HasSubstr("No such file or directory"));
}

// --- JSON ---

class CocoImages : public BoxedImages {
 protected:
  static std::string annotation(int image, int category, const std::string& box, int crowd = 0) {
    return fmt::format(
        R"({{"image_id": {}, "category_id": {}, "bbox": {}, "iscrowd": {}, "segmentation": [[1, 2]]}})",
        image, category, box, crowd);
  }

  void write(const std::string& name, const std::string& images, const std::string& annotations) {
    testing::write(mine() / name,
                   fmt::format(R"({{"images": [{}], "annotations": [{}], "categories": [)"
                               R"({{"id": 1, "name": "person"}}, {{"id": 7, "name": "train"}}]}})",
                               images, annotations));
  }

  static std::string image(int id) {
    return fmt::format(R"({{"id": {0}, "file_name": "{0}.png", "width": 8, "height": 4}})", id);
  }

  /// Two images to learn from, and one to test.
  void write_all(const std::string& annotations) {
    for (const int id : {1, 2}) add_image(fmt::format("train2017/{}.png", id));
    add_image("val2017/3.png");
    write("annotations/instances_train2017.json", image(2) + "," + image(1), annotations);
    write("annotations/instances_val2017.json", image(3), annotation(3, 1, "[0, 0, 8, 4]"));
  }
};

TEST_F(CocoImages, HaveBoxesByTheirCorners) {
  write_all(annotation(1, 1, "[2, 1, 4, 2]") + "," + annotation(2, 7, "[0, 0, 2, 4]") + "," +
            annotation(2, 1, "[4, 0, 4, 4]", 1));
  const auto data = open("coco", "");
  EXPECT_EQ(data->describe().class_names, (std::vector<std::string>{"person", "train"}));
  EXPECT_EQ(data->describe().train_samples, 2);
  EXPECT_EQ(data->describe().test_samples, 1);
  expect_near(boxes(*data, Split::train, 0).at(0), {0, 0.5F, 0.5F, 0.5F, 0.25F, 0});
  expect_near(boxes(*data, Split::train, 1).at(0), {1, 0.125F, 0.5F, 0.25F, 0.5F, 0});
  expect_near(boxes(*data, Split::train, 1).at(1), {0, 0.75F, 0.5F, 0.5F, 0.5F, 1});
  expect_near(boxes(*data, Split::test, 0).at(0), {0, 0.5F, 0.5F, 1, 0.5F, 0});
}

/// An image with a crowd alone has nothing that could be found.
TEST_F(CocoImages, AreLeftOutWithACrowdAlone) {
  write_all(annotation(1, 1, "[2, 1, 4, 2]") + "," + annotation(2, 1, "[4, 0, 4, 4]", 1));
  const auto data = open("coco", ", classes: [person], empty_images: false");
  EXPECT_EQ(data->describe().train_samples, 1);
}

/// What becomes of them is what becomes of those in text files.
TEST_F(CocoImages, AreCutAtTheBorderAndLeftOutWithoutArea) {
  write_all(annotation(1, 1, "[-2, 1, 4, 2]") + "," + annotation(1, 1, "[2, 1, 0, 2]") + "," +
            annotation(1, 1, "[9, 1, 2, 2]") + "," + annotation(1, 1, "[6, -3, 20, 20]"));
  const auto data = open("coco", "");
  const auto found = boxes(*data, Split::train, 0);
  ASSERT_EQ(found.size(), 2);
  expect_near(found[0], {0, 0.125F, 0.5F, 0.25F, 0.25F, 0});
  expect_near(found[1], {0, 0.875F, 0.5F, 0.25F, 0.5F, 0});
  const std::string remark = data->describe().remark;
  EXPECT_THAT(remark, HasSubstr("2 boxes cut off at the border"));
  EXPECT_THAT(remark, HasSubstr("2 boxes of no area in the image left out"));
}

TEST_F(CocoImages, MayHaveNoBoxes) {
  write_all(annotation(2, 1, "[2, 1, 4, 2]"));
  const auto data = open("coco", "");
  EXPECT_EQ(data->describe().train_samples, 2);
  EXPECT_TRUE(boxes(*data, Split::train, 0).empty());
  EXPECT_EQ(boxes(*data, Split::train, 1).size(), 1);
  EXPECT_THAT(data->describe().remark, HasSubstr("1 of 2 images to learn from have no box"));
  const auto full = open("coco", ", empty_images: false");
  EXPECT_EQ(full->describe().train_samples, 1);
  EXPECT_THAT(full->describe().remark, HasSubstr("1 image without a box left out"));
  write_all("");
  EXPECT_THAT(problem("coco"), HasSubstr("no image to learn from has a box"));
}

TEST_F(CocoImages, MayHaveTwoHundredBoxes) {
  std::string annotations;
  for (int i = 0; i < 200; ++i)
    annotations += (i > 0 ? "," : "") + annotation(1, 1, fmt::format("[{}, 1, 0.1, 2]", 0.03 * i));
  write_all(annotations);
  const auto data = open("coco", "");
  EXPECT_EQ(boxes(*data, Split::train, 0).size(), 200);
  EXPECT_EQ(data->boxes(Split::test).size(1), 200);
  EXPECT_EQ(boxes(*data, Split::test, 0).size(), 1);
}

TEST_F(CocoImages, MayBeGrey) {
  write_all(annotation(1, 1, "[2, 1, 4, 2]"));
  add_image("train2017/2.png", /*is_grey=*/true);
  const at::Tensor images = testing::all_samples(*open("coco", ""), Split::train).images;
  EXPECT_TRUE(at::equal(images[0], images[1]));  // three equal channels, as the other has
}

TEST_F(CocoImages, AreRefusedWhereTheyAreNone) {
  const auto with = [&](const std::string& annotations, const std::string& yaml = "") {
    write_all(annotations);
    return problem("coco", yaml);
  };
  EXPECT_THAT(with(annotation(9, 1, "[2, 1, 4, 2]")),
              HasSubstr("instances_train2017.json: error: an annotation of an image that is not"));
  EXPECT_THAT(with(annotation(1, 2, "[2, 1, 4, 2]")), HasSubstr("of a category that is not there"));
  EXPECT_THAT(with(annotation(1, 1, "[2, 1, 4]")), HasSubstr("'bbox' is not [left, top"));
  EXPECT_THAT(with(annotation(1, 1, "[2, 1, -4, 2]")), HasSubstr("'bbox' is not [left, top"));
  EXPECT_THAT(with(R"({"category_id": 1})"), HasSubstr("has no 'image_id'"));
  EXPECT_THAT(with("1"), HasSubstr("has no 'image_id'"));
  EXPECT_THAT(with("", ", classes: [prson]"),
              HasSubstr("no category 'prson'; did you mean 'person'?"));
  testing::write(mine() / "annotations/instances_val2017.json", "{\"images\": [");
  EXPECT_THAT(problem("coco"), HasSubstr("instances_val2017.json: error: is no whole JSON file"));
  testing::write(mine() / "annotations/instances_val2017.json", "[]");
  EXPECT_THAT(problem("coco"), HasSubstr("has no list 'categories'"));
  write_all("");
  std::filesystem::remove(mine() / "train2017/1.png");
  EXPECT_THAT(problem("coco"), HasSubstr("1.png: error: no such image"));
}

/// Boxes are counted for what is learned from.
TEST_F(CocoImages, CountTheirBoxes) {
  for (int id = 1; id <= 10; ++id) add_image(fmt::format("train2017/{}.png", id));
  add_image("val2017/99.png");
  std::string images, annotations;
  for (int id = 1; id <= 10; ++id) {
    images += (id > 1 ? "," : "") + image(id);
    annotations += (id > 1 ? "," : "") + annotation(id, id % 2 == 0 ? 1 : 7, "[2, 1, 4, 2]") + "," +
                   annotation(id, 1, "[4, 0, 4, 4]", 1);
  }
  write("annotations/instances_train2017.json", images, annotations);
  write("annotations/instances_val2017.json", image(99), "");
  const auto data = open("coco", "");
  EXPECT_EQ((TrainingData{*data, {3, 16, 16}, 0, 1}.counts()), (std::vector<std::int64_t>{5, 5}));
  EXPECT_THROW((TrainingData{*data, {3, 16, 16}, 0.5, 1}), Error);
}

// --- Both ---

void expect_laws(const std::string& plugin, const std::string& yaml,
                 const std::filesystem::path& folder) {
  const testing::Finished laws =
      testing::shell(fmt::format("THIMBLE_TEST_DATA=. '{}/libexec/thimble/thimble-conformance' "
                                 "'{}/dataset/{}.so' '{{folder: mine, height: 12, width: 8{}}}'",
                                 THIMBLE_TEST_BINARY, THIMBLE_TEST_PLUGINS, plugin, yaml),
                     folder);
  EXPECT_EQ(laws.code, 0) << laws.output;
}

/// All laws of datasets, on images of noise.
TEST_F(CocoImages, KeepTheLawsOfDatasets) {
  Random random{3};
  std::string train, test, train_boxes, test_boxes;
  for (int id = 1; id <= 24; ++id) {
    testing::Bytes pixels(std::size_t{3} * 9 * 7);
    for (std::uint8_t& value : pixels) value = static_cast<std::uint8_t>(random.below(256));
    const bool is_test = id > 16;
    const std::string name = fmt::format("{}.png", id);
    for (const char* const folder :
         {is_test ? "val2017" : "train2017", is_test ? "images/val" : "images/train"})
      testing::write_png(mine() / folder / name, 9, 7, PNG_FORMAT_RGB, pixels);
    std::string& images = is_test ? test : train;
    images += (images.empty() ? "" : ",") + image(id);
    std::string& boxes = is_test ? test_boxes : train_boxes;
    boxes += (boxes.empty() ? "" : ",") + annotation(id, id % 2 == 0 ? 1 : 7, "[2, 1, 4, 2]");
    testing::write(mine() / fmt::format("labels/{}/{}.txt", is_test ? "val" : "train", id),
                   fmt::format("{} 0.5 0.5 0.2 0.4\n", id % 2));
  }
  write("annotations/instances_train2017.json", train, train_boxes);
  write("annotations/instances_val2017.json", test, test_boxes);
  expect_laws("coco", "", folder_.path());
  expect_laws("yolo", "", folder_.path());
}

// --- What networks that tell of boxes cost ---

TEST_F(YoloImages, BringTheCodeAlongThatFindsBoxes) {
  constexpr int kImages = 9;
  for (int i = 0; i < kImages; ++i) {
    const std::string part = i == 0 ? "val" : "train";
    add_image(fmt::format("images/{}/{}.png", part, i));
    testing::write(mine() / fmt::format("labels/{}/{}.txt", part, i), "0 0.5 0.5 0.5 1\n");
  }
  const auto bytes_of = [&](const std::string& metric, const std::string& train) {
    testing::write(folder_.path() / "boxes.yaml",
                   "name: boxes\n"
                   "search_space: { use: superblocks, families: [mbednet], height: 32, width: 32, "
                   "classes: 1, head: detection }\n"
                   "dataset: { use: yolo, folder: mine, height: 32, width: 32 }\n"
                   "hardware: { use: analytic, board: nucleo_f746zg }\n"
                   "objectives: [{ minimize: macs }]\n"
                   "searcher: { use: random, samples: 1 }\n" +
                       train);
    const auto finished =
        testing::thimble_program("score boxes.yaml --data . --arch mbednet --json", folder_.path());
    const std::string key = "\"" + metric + "\":";
    const auto place = finished.output.find(key);
    EXPECT_NE(place, std::string::npos) << finished.errors;
    return place == std::string::npos ? 0 : std::stol(finished.output.substr(place + key.size()));
  };
  const std::string train = "train: { task: { use: detection }, epochs: 1 }\n";
  EXPECT_EQ(bytes_of("rom_bytes", train), bytes_of("rom_bytes", "") + 3168);
  EXPECT_EQ(bytes_of("ram_bytes", train), bytes_of("ram_bytes", "") + 1280);
}

}  // namespace
}  // namespace thimble::boxed_images_test
