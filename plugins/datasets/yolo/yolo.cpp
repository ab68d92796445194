// Images with boxes as programs of the YOLO family keep them: a text file beside each image, a line
// a box, "class x y width height" by centre and in shares of the image's sides. Or one CSV table
// with the boxes of all images.

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <thimble/core/csv.hpp>
#include <thimble/core/error.hpp>
#include <thimble/core/text.hpp>
#include <thimble/dataset.hpp>
#include <thimble/nn/box_table.hpp>
#include <thimble/nn/image_file.hpp>

namespace {

namespace fs = std::filesystem;

using thimble::BoxedImage;
using thimble::LabelledBox;

[[noreturn]] void refuse(const thimble::Location& where, std::string message, std::string note) {
  throw thimble::InputError{thimble::Diagnostic{where, std::move(message), std::move(note)}};
}

/// The images of a folder and of folders in it, by name, but for what is hidden. Other files are
/// remarked on.
std::vector<fs::path> images_in(const fs::path& folder, std::string& remark) {
  std::error_code problem;
  std::vector<fs::path> found;
  std::int64_t others = 0;
  for (const auto& entry : fs::recursive_directory_iterator{folder, problem}) {
    if (entry.path().filename().string().starts_with('.') || !entry.is_regular_file()) continue;
    if (thimble::has_image_name(entry.path()))
      found.push_back(entry.path());
    else
      ++others;
  }
  if (others > 0)
    thimble::say_also(remark, thimble::count_text(others, "file") +
                                  " beside the images left alone: PNG and "
                                  "JPEG are read");
  if (problem) refuse({folder.string()}, problem.message(), "'images' names the folder of images");
  if (found.empty()) refuse({folder.string()}, "has no images", "PNG and JPEG files are read");
  std::ranges::sort(found);
  return found;
}

class Yolo final : public thimble::BoxTableDataset {
 public:
  struct Params {
    std::string folder;
    std::string images = "images";
    std::string labels = "labels";
    std::string table;
    std::string names;
    std::vector<std::string> classes;
    double test_share = 0.2;
    std::int64_t seed = 1;
    thimble::BoxImageParams image;

    template <class Describe>
    static void describe(Describe& param) {
      param(&Params::folder, "folder", "where the rest is, relative to the data folder").required();
      param(&Params::images, "images",
            "folder of images; one that has train/ and val/ (or test/) says what is for testing");
      param(&Params::labels, "labels", "folder of text files, with the images' folders and names");
      param(
          &Params::table, "table",
          "in place of text files: a CSV table with columns image, class, cx, cy, w, h, and split "
          "(train or val)");
      param(&Params::names, "names",
            "file of class names, one a line; by default they are numbers");
      param(&Params::classes, "classes", "those that are looked for; by default all");
      param(&Params::test_share, "test_share",
            "where nothing says what is for testing: the share of images drawn for it")
          .range(0, 0.9);
      param(&Params::seed, "seed", "of that draw");
      param.include(&Params::image);
    }
  };

  Yolo(Params params, const thimble::Context& context)
      : params_{std::move(params)},
        folder_{context.data_folder / params_.folder},
        table_{open(context)} {}

 private:
  const thimble::BoxTable& table() const override { return table_; }

  thimble::BoxTable open(const thimble::Context& context) {
    thimble::DatasetInfo info;
    info.name = "yolo";
    info.shape = params_.image.shape();
    read_names();
    auto images = params_.table.empty() ? from_text_files(info.remark) : from_table(info.remark);
    info.classes = number_classes(images);
    info.class_names = class_names_;
    if (!params_.image.empty_images) thimble::drop_empty(images, info.remark);
    if (images.empty()) refuse({folder_.string()}, "no image is left", "keep those without boxes");
    if (!is_split_) thimble::draw_test(images, params_.test_share, params_.seed);
    return {std::move(info), std::move(images), params_.image.scaling, folder_, context};
  }

  void read_names() {
    if (params_.names.empty()) return;
    for (const std::string& line :
         thimble::split(thimble::read_file(folder_ / params_.names), '\n'))
      if (const auto name = thimble::trimmed(line); !name.empty()) names_.emplace_back(name);
  }

  /// `part` is the first folder, or what a table says.
  bool is_test(const std::string& part) {
    const bool is_test = part == "val" || part == "test" || part == "valid";
    if (is_test || part == "train") is_split_ = true;
    return is_test;
  }

  std::vector<BoxedImage> from_text_files(std::string& remark) {
    std::vector<BoxedImage> images;
    const fs::path root = folder_ / params_.images;
    std::set<fs::path> used;
    for (const fs::path& file : images_in(root, remark)) {
      const fs::path name = fs::relative(file, root);
      BoxedImage& image = images.emplace_back();
      image.file = file;
      image.is_test = is_test(name.begin()->string());
      fs::path labels = folder_ / params_.labels / name;
      labels.replace_extension(".txt");
      if (!fs::exists(labels)) continue;
      read_boxes(labels, image);
      used.insert(labels);
    }
    remark_on_unused_labels(used, remark);
    return images;
  }

  void remark_on_unused_labels(const std::set<fs::path>& used, std::string& remark) const {
    const fs::path root = folder_ / params_.labels;
    if (!fs::is_directory(root))
      refuse({root.string()}, "there is no such folder",
             "'labels' names the folder of text files, or 'table' a CSV table");
    std::int64_t unused = 0;
    for (const auto& entry : fs::recursive_directory_iterator{root})
      unused += entry.path().extension() == ".txt" && !used.contains(entry.path()) ? 1 : 0;
    if (unused > 0)
      thimble::say_also(remark,
                        thimble::count_text(unused, "label file") + " without an image left alone");
  }

  void read_boxes(const fs::path& file, BoxedImage& image) const {
    int number = 0;
    for (const std::string& line : thimble::split(thimble::read_file(file), '\n')) {
      ++number;
      const thimble::Location where{file.string(), number, 1};
      std::vector<std::string> words;
      for (const std::string& word : thimble::split(thimble::trimmed(line), ' '))
        if (!word.empty()) words.push_back(word);
      if (words.empty()) continue;
      if (words.size() != 5)
        refuse(where, "a box has 5 numbers, found " + std::to_string(words.size()),
               "a line is: class x y width height, in shares of the image");
      image.boxes.push_back(box_of({words[0], words[1], words[2], words[3], words[4]}, where));
    }
  }

  LabelledBox box_of(const std::array<std::string, 5>& words,
                     const thimble::Location& where) const {
    const auto label = thimble::parse_integer(words[0]);
    if (!label || *label < 0 || *label > 1'000'000)
      refuse(where, "no class " + thimble::in_quotes(words[0]), "classes are numbers from 0");
    if (!names_.empty() && *label >= std::ssize(names_))
      refuse(where,
             "class " + words[0] + " is none of " + thimble::count_text(std::ssize(names_), "name"),
             "the first of 'names' is class 0");
    std::array<float, 4> numbers{};
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      const auto number = thimble::parse_number(words[i + 1]);
      constexpr double kMost = 100;
      if (!number || !(std::abs(*number) <= kMost) || (i >= 2 && *number < 0))
        refuse(where, "no share of an image " + thimble::in_quotes(words[i + 1]),
               "x, y, width and height are shares of the image's sides, 0 to 1");
      numbers[i] = static_cast<float>(*number);
    }
    return {static_cast<float>(*label), numbers[0], numbers[1], numbers[2], numbers[3], 0};
  }

  /// Images that the table does not name have no boxes, and are learned from.
  std::vector<BoxedImage> from_table(std::string& remark) {
    const fs::path file = folder_ / params_.table;
    const thimble::CsvTable table = thimble::parse_csv(thimble::read_file(file), file.string());
    const std::size_t name = table.column("image");
    const std::array columns{table.column("class"), table.column("cx"), table.column("cy"),
                             table.column("w"), table.column("h")};
    const auto part = table.find("split");
    std::map<std::string, BoxedImage> by_name;
    std::map<std::string, std::string> part_of;
    for (const fs::path& found : images_in(folder_ / params_.images, remark)) {
      if (by_name.contains(found.stem().string()))
        refuse({found.string()}, "a second image of this name",
               "tables tell images by their names");
      by_name[found.stem().string()].file = found;
    }
    for (const auto& row : table.rows) {
      const thimble::CsvCell& cell = row[name];
      const auto image = by_name.find(fs::path{cell.text}.stem().string());
      if (image == by_name.end())
        refuse(cell.where, "there is no image " + thimble::in_quotes(cell.text),
               "images lie in " + (folder_ / params_.images).string());
      std::array<std::string, 5> words;
      for (std::size_t i = 0; i < words.size(); ++i) words[i] = row[columns[i]].text;
      image->second.boxes.push_back(box_of(words, row[columns[0]].where));
      if (part) image->second.is_test = is_test(part_in(row[*part], part_of[image->first]));
    }
    std::vector<BoxedImage> images;
    for (auto& [key, image] : by_name) images.push_back(std::move(image));
    return images;
  }

  /// What a row says; all of an image say the same.
  static const std::string& part_in(const thimble::CsvCell& cell, std::string& of_image) {
    static const std::vector<std::string> kParts{"train", "val", "valid", "test"};
    if (std::ranges::find(kParts, cell.text) == kParts.end())
      refuse(cell.where,
             "no part " + thimble::in_quotes(cell.text) + thimble::did_you_mean(cell.text, kParts),
             "images are for train, or for val (or valid, or test)");
    if (!of_image.empty() && of_image != cell.text)
      refuse(cell.where,
             "the image is for " + of_image + " in a row before, and here for " + cell.text,
             "an image is in one part, with all its boxes");
    return of_image = cell.text;
  }

  /// Classes that are looked for get the numbers from 0 on; boxes of others go.
  int number_classes(std::vector<BoxedImage>& images) {
    std::map<int, float> numbers;
    for (const std::string& wanted : params_.classes) {
      numbers[number_of(wanted)] = static_cast<float>(class_names_.size());
      class_names_.push_back(wanted);
    }
    if (params_.classes.empty()) {
      int most = static_cast<int>(names_.size());
      for (const BoxedImage& image : images)
        for (const LabelledBox& box : image.boxes)
          most = std::max(most, 1 + static_cast<int>(box.label));
      class_names_ = names_;
      return std::max(most, 1);
    }
    for (BoxedImage& image : images) {
      std::erase_if(image.boxes, [&](const LabelledBox& box) {
        return !numbers.contains(static_cast<int>(box.label));
      });
      for (LabelledBox& box : image.boxes) box.label = numbers[static_cast<int>(box.label)];
    }
    return static_cast<int>(class_names_.size());
  }

  int number_of(const std::string& wanted) const {
    const auto found = std::ranges::find(names_, wanted);
    if (found != names_.end()) return static_cast<int>(found - names_.begin());
    const auto number = thimble::parse_integer(wanted);
    if (names_.empty() && number && *number >= 0) return static_cast<int>(*number);
    throw thimble::InputError{
        "no class " + thimble::in_quotes(wanted) + thimble::did_you_mean(wanted, names_),
        names_.empty() ? "without 'names', classes are numbers" : "'names' has them, one a line"};
  }

  Params params_;
  fs::path folder_;
  std::vector<std::string> names_;        ///< of all classes in the files
  std::vector<std::string> class_names_;  ///< of those that are looked for
  bool is_split_ = false;                 ///< something says what is for testing
  thimble::BoxTable table_;
};

}  // namespace

THIMBLE_PLUGIN("yolo", "1.0.0") {
  plugin.provides<Yolo>("images with boxes in text files, as YOLO has them, or in one table");
}
