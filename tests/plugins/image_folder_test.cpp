// Small images, written here.

#include <string>
#include <vector>

#include <fmt/format.h>

#include <support/datasets.hpp>
#include <support/images.hpp>
#include <support/program.hpp>
#include <thimble/core/random.hpp>
#include <thimble/dataset.hpp>

namespace thimble::image_folder_test {
namespace {

namespace fs = std::filesystem;
using testing::Bytes;
using testing::write_jpeg;
using testing::write_png;

class ImageFolder : public ::testing::Test {
 protected:
  ImageFolder() {
    context_.data_folder = folder_.path();
    context_.log = [this](const std::string& text) { remarks_.push_back(text); };
  }

  std::unique_ptr<Dataset> open(const std::string& yaml) {
    PluginLoader loader{{THIMBLE_TEST_PLUGINS}, context_};
    return testing::make<Dataset>(loader, "image_folder", "{folder: mine, " + yaml + "}");
  }
  std::string problem(const std::string& yaml = "height: 2") {
    return testing::problem_of([&] { open(yaml); });
  }
  /// The images of the training part, one after the other, as bytes.
  std::vector<float> bytes(const std::string& yaml) {
    const auto dataset = open(yaml + ", test_share: 0, mean: [0], spread: [1]");
    const at::Tensor flat = testing::all_samples(*dataset, Split::train).images.flatten();
    return {flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel()};
  }
  fs::path mine() const { return folder_.path() / "mine"; }

  static void add_grey(const fs::path& file, std::uint8_t value) {
    write_png(file, 1, 1, PNG_FORMAT_GRAY, {value});
  }

  testing::TemporaryFolder folder_;
  Context context_;
  std::vector<std::string> remarks_;
};

TEST_F(ImageFolder, GivesChannelsOfWhateverAFileHas) {
  write_png(mine() / "a/1.png", 2, 1, PNG_FORMAT_RGB, {10, 20, 30, 40, 50, 60});
  write_png(mine() / "a/2.PNG", 2, 1, PNG_FORMAT_GRAY, {7, 8});
  write_png(mine() / "b/3.png", 2, 1, PNG_FORMAT_RGBA, {9, 9, 9, 0, 1, 2, 3, 255});
  write_jpeg(mine() / "b/4.jpg", 2, 1, {100});
  write_jpeg(mine() / "b/5.jpeg", 2, 1, {200, 200, 200});
  testing::write(mine() / "b/notes.txt", "not looked at");
  testing::write(mine() / "README.md", "neither");
  EXPECT_EQ(
      bytes("height: 1, width: 2"),
      (std::vector<float>{10, 40, 20, 50,  30,  60,  7,   8,   7,   8,   7,   8,   0,   1,   0,
                          2,  0,  3,  100, 100, 100, 100, 100, 100, 200, 200, 200, 200, 200, 200}));
  // 0.299 * 10 + 0.587 * 20 + 0.114 * 30 = 18.15, and 30 more
  EXPECT_EQ(bytes("height: 1, width: 2, channels: 1"),
            (std::vector<float>{18, 48, 7, 8, 0, 2, 100, 100, 200, 200}));
  const DatasetInfo info = open("height: 1, width: 2")->describe();
  EXPECT_EQ(info.shape, (Shape{3, 1, 2}));
  EXPECT_EQ(info.medium, Medium::images);
  EXPECT_EQ(info.class_names, (std::vector<std::string>{"a", "b"}));
}

TEST_F(ImageFolder, ResizesByATriangle) {
  write_png(mine() / "a/1.png", 4, 2, PNG_FORMAT_GRAY, {10, 10, 90, 90, 10, 10, 90, 90});
  add_grey(mine() / "b/2.png", 5);
  // Weights 3, 3, 1 of 7.
  EXPECT_EQ(bytes("height: 1, width: 2, channels: 1"), (std::vector<float>{21, 79, 5, 5}));
  // Twice as wide: pixels at 1/4 and 3/4 between neighbours.
  EXPECT_EQ(bytes("height: 2, width: 8, channels: 1, class_names: [a, b]"),
            (std::vector<float>{10, 10, 10, 30, 70, 90, 90, 90, 10, 10, 10, 30, 70, 90, 90, 90,
                                5,  5,  5,  5,  5,  5,  5,  5,  5,  5,  5,  5,  5,  5,  5,  5}));
}

TEST_F(ImageFolder, IsSplitByFolderOrByGroup) {
  for (const char* const name : {"0_0", "0_1", "1_0", "1_1", "2_0"})
    for (const char* const label : {"stop", "go"})
      add_grey(mine() / fmt::format("{}/{}.png", label, name), 1);
  const auto dataset = open("group: '^([^/]+/[0-9]+)_', test_groups: [go/1, stop/2]");
  EXPECT_EQ(dataset->labels(Split::test), (std::vector<std::int64_t>{0, 0, 1}));
  EXPECT_EQ(dataset->groups(Split::test), (std::vector<std::int64_t>{1, 1, 5}));
  EXPECT_EQ(open("test_share: 0.4")->describe().test_samples, 4);
  EXPECT_THAT(problem("group: '([0-9]+)x'"),
              ::testing::StartsWith("0_0.png: error: 'group' finds no group in 'go/0_0.png'"));
  EXPECT_THAT(problem("group: '('"), ::testing::HasSubstr("'group' is no regular expression: ("));

  fs::remove_all(mine());
  add_grey(mine() / "train/a/1.png", 1);
  add_grey(mine() / "train/b/1.png", 2);
  add_grey(mine() / "test/b/1.png", 3);
  const auto parts = open("height: 1, width: 1");
  EXPECT_EQ(parts->labels(Split::train), (std::vector<std::int64_t>{0, 1}));
  EXPECT_EQ(parts->labels(Split::test), (std::vector<std::int64_t>{1}));
}

TEST_F(ImageFolder, PassesOverWhatIsHiddenAndNamesWhatLiesWrong) {
  for (const char* const file : {"a/1.png", "b/1.png"}) add_grey(mine() / file, 1);
  testing::write(mine() / "a/._1.png", std::string{"\0\5\x16\7", 4});
  testing::write(mine() / ".thumbnails/1.png", "x");
  EXPECT_EQ(problem(), "nothing");
  EXPECT_EQ(open("test_share: 0")->describe().train_samples, 2);
  EXPECT_EQ(open("test_share: 0")->describe().class_names, (std::vector<std::string>{"a", "b"}));

  fs::create_directories(mine() / "b/more");
  EXPECT_THAT(problem(), ::testing::EndsWith("b/more: error: a folder in that of a class"));
  fs::remove_all(mine() / "b/more");
  add_grey(mine() / "3.png", 1);
  EXPECT_EQ(problem(), "3.png: error: an image in no folder of a class");
  fs::remove(mine() / "3.png");
  fs::rename(mine() / "b", mine() / "b ");
  EXPECT_THAT(problem(),
              ::testing::EndsWith("mine: error: the class 'b ' has blanks around its name"));

  fs::remove_all(mine());
  for (const char* const part : {"train", "test", "val"}) {
    add_grey(mine() / part / "a/1.png", 1);
    add_grey(mine() / part / "b/1.png", 2);
  }
  EXPECT_EQ(open("height: 2")->describe().remark, "beside 'train' and 'test' not looked at: 'val'");
}

TEST_F(ImageFolder, TellsChangedImagesApart) {
  add_grey(mine() / "a/1.png", 1);
  add_grey(mine() / "b/1.png", 2);
  const std::uint64_t before = open("height: 2")->fingerprint();
  EXPECT_EQ(open("height: 2")->fingerprint(), before);
  add_grey(mine() / "b/1.png", 3);
  EXPECT_NE(open("height: 2")->fingerprint(), before);
}

/// All laws of datasets, on images as people have them.
TEST_F(ImageFolder, KeepsTheLawsOfDatasets) {
  Random random{3};
  for (const char* const label : {"cat", "dog", "hen"})
    for (int i = 0; i < 12; ++i) {
      const auto side = static_cast<std::uint32_t>(6 + random.below(5));
      Bytes pixels(std::size_t{3} * side * side);
      for (std::uint8_t& value : pixels) value = static_cast<std::uint8_t>(random.below(256));
      const fs::path file = mine() / label / fmt::format("{}_{}.", i / 3, i);
      if (i % 2 == 0)
        write_png(file.string() + "png", side, side, PNG_FORMAT_RGB, pixels);
      else
        write_jpeg(file.string() + "jpg", side, side, {pixels[0], pixels[1], pixels[2]});
    }
  const testing::Finished laws =
      testing::shell("THIMBLE_TEST_DATA=. '" THIMBLE_TEST_BINARY
                     "/libexec/thimble/thimble-conformance' "
                     "'" THIMBLE_TEST_PLUGINS
                     "/dataset/image_folder.so' "
                     "\"{folder: mine, height: 8, width: 8, group: '^([^/]+/[0-9]+)_'}\"",
                     folder_.path());
  EXPECT_EQ(laws.code, 0) << laws.output;
  EXPECT_THAT(laws.output, ::testing::Not(::testing::HasSubstr("SKIPPED"))) << laws.output;
}

TEST_F(ImageFolder, DecodesOnce) {
  context_.cache_folder = folder_.path() / "cache";
  add_grey(mine() / "a/1.png", 1);
  add_grey(mine() / "b/1.png", 2);
  const std::string size = "height: 1, width: 1, channels: 1";
  EXPECT_EQ(bytes(size), (std::vector<float>{1, 2}));
  EXPECT_EQ(bytes(size), (std::vector<float>{1, 2}));
  EXPECT_EQ(remarks_.size(), 1) << "from the cache";
  add_grey(mine() / "b/2.png", 3);
  EXPECT_EQ(bytes(size), (std::vector<float>{1, 2, 3})) << "a file more is seen";
  EXPECT_EQ(bytes("height: 1, width: 2, channels: 1"), (std::vector<float>{1, 1, 2, 2, 3, 3}));
  const fs::path changed = mine() / "b/2.png";
  const auto size_before = fs::file_size(changed);
  const auto time_before = fs::last_write_time(changed);
  add_grey(changed, 4);
  fs::last_write_time(changed, time_before);
  ASSERT_EQ(fs::file_size(changed), size_before);
  EXPECT_EQ(bytes(size), (std::vector<float>{1, 2, 4})) << "a copy may keep time and size";
  add_grey(changed, 3);
  for (const auto& entry : fs::directory_iterator{context_.cache_folder / "images"})
    testing::write(entry.path(), "x");
  EXPECT_EQ(bytes(size), (std::vector<float>{1, 2, 3})) << "a damaged cache is made anew";

  testing::write(folder_.path() / "file", "");
  context_.cache_folder = folder_.path() / "file";
  EXPECT_EQ(bytes(size), (std::vector<float>{1, 2, 3})) << "without a cache";
  EXPECT_THAT(remarks_.back(), ::testing::HasSubstr("cannot be kept"));
}

TEST_F(ImageFolder, SaysWhichFileIsWrong) {
  EXPECT_THAT(problem(), ::testing::EndsWith("No such file or directory"));
  fs::create_directories(mine() / "a");
  EXPECT_THAT(problem(), ::testing::EndsWith("no .png, .jpg or .jpeg in it"));
  add_grey(mine() / "a/1.png", 1);
  EXPECT_THAT(problem(), ::testing::EndsWith("all images are of one class"));
  add_grey(mine() / "b/1.png", 1);
  EXPECT_THAT(problem("class_names: [a, c]"),
              ::testing::EndsWith("b: error: none of 'class_names'"));
  EXPECT_EQ(problem(), "nothing");

  testing::write(mine() / "b/2.jpg", "<html>not found</html>");
  EXPECT_EQ(problem(), "2.jpg: error: neither PNG nor JPEG");
  testing::write(mine() / "b/2.jpg", "");
  EXPECT_EQ(problem(), "2.jpg: error: neither PNG nor JPEG");
  write_jpeg(mine() / "b/2.jpg", 64, 64, {1, 2, 3});
  const std::string jpeg = read_file(mine() / "b/2.jpg");
  testing::write(mine() / "b/2.jpg", jpeg.substr(0, jpeg.size() - 40));
  EXPECT_EQ(problem(), "2.jpg: error: a damaged JPEG: Premature end of JPEG file");
  testing::write(mine() / "b/2.jpg", std::string{jpeg}.insert(jpeg.size() - 2, "xx"));
  EXPECT_EQ(problem(), "nothing") << "superfluous bytes do no harm";
  testing::write(mine() / "b/2.jpg", "\xff\xd8\xff");
  EXPECT_THAT(problem(), ::testing::StartsWith("2.jpg: error: a damaged JPEG: "));
  fs::remove(mine() / "b/2.jpg");
  fs::create_directory(mine() / "b/2.jpg");
  EXPECT_EQ(problem(), "2.jpg: error: has an image's name and is no file");
  fs::remove(mine() / "b/2.jpg");
  fs::create_symlink("nowhere", mine() / "b/2.jpg");
  EXPECT_EQ(problem(), "2.jpg: error: has an image's name and is no file");
  fs::remove(mine() / "b/2.jpg");
  const std::string png = read_file(mine() / "b/1.png");
  testing::write(mine() / "b/1.png", png.substr(0, png.size() - 20));
  EXPECT_THAT(problem(), ::testing::StartsWith("1.png: error: a damaged PNG: "));
}

}  // namespace
}  // namespace thimble::image_folder_test
