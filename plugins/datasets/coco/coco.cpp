// Images with boxes as COCO keeps them (Lin et al., "Microsoft COCO", ECCV 2014, arXiv 1405.0312):
// one JSON file with images, annotations and categories for each part.

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <thimble/core/error.hpp>
#include <thimble/core/text.hpp>
#include <thimble/dataset.hpp>
#include <thimble/nn/box_table.hpp>

namespace {

namespace fs = std::filesystem;

using nlohmann::json;
using thimble::BoxedImage;

[[noreturn]] void refuse(const fs::path& file, std::string message, std::string note) {
  throw thimble::InputError{
      thimble::Diagnostic{{file.string()}, std::move(message), std::move(note)}};
}

/// One file of annotations.
class Annotations {
 public:
  explicit Annotations(fs::path file) : file_{std::move(file)}, root_(parsed(file_)) {
    for (const json& category : list("categories"))
      names_[whole(category, "id", "categories")] = text(category, "name", "categories");
  }

  const fs::path& file() const { return file_; }

  /// Category names in the order of their numbers.
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& [id, name] : names_) all.push_back(name);
    return all;
  }

  /// Images in the order of their numbers, with the boxes of these classes.
  std::vector<BoxedImage> images(const fs::path& folder, const std::vector<std::string>& classes,
                                 bool is_test) {
    std::map<std::int64_t, Known> known;
    for (const json& image : list("images")) {
      Known& made = known[whole(image, "id", "images")];
      made.image.file = folder / text(image, "file_name", "images");
      made.image.is_test = is_test;
      made.width = number(image, "width", "images");
      made.height = number(image, "height", "images");
      if (!(made.width > 0 && made.height > 0))
        refuse(file_, "an image of no size: " + made.image.file.filename().string(), kFormat);
    }
    for (const json& annotation : list("annotations")) add(annotation, classes, known);
    std::vector<BoxedImage> all;
    for (auto& [id, image] : known) all.push_back(std::move(image.image));
    return all;
  }

 private:
  struct Known {
    BoxedImage image;
    double width = 0;
    double height = 0;
  };
  static constexpr const char* kFormat = "the format is that of COCO's instances_*.json";

  /// Without outlines, which are most of such a file.
  static json parsed(const fs::path& file) {
    const std::string content = thimble::read_file(file);
    const auto keeps = [](int, json::parse_event_t event, const json& value) {
      return event != json::parse_event_t::key || value != "segmentation";
    };
    try {
      return json::parse(content, keeps);
    } catch (const json::exception& error) {
      refuse(file, std::string{"is no whole JSON file: "} + error.what(), kFormat);
    }
  }

  const json& list(const char* key) const {
    const auto found = root_.is_object() ? root_.find(key) : root_.end();
    if (found == root_.end() || !found->is_array())
      refuse(file_, std::string{"has no list '"} + key + "'", kFormat);
    return *found;
  }

  const json& at(const json& entry, const char* key, const char* in) const {
    const auto found = entry.is_object() ? entry.find(key) : entry.end();
    if (found == entry.end())
      refuse(file_,
             std::string{"an entry of '"} + in + "' has no '" + key +
                 "': " + entry.dump().substr(0, 80),
             kFormat);
    return *found;
  }

  std::int64_t whole(const json& entry, const char* key, const char* in) const {
    const json& value = at(entry, key, in);
    if (!value.is_number_integer())
      refuse(file_,
             std::string{"'"} + key + "' of an entry of '" + in +
                 "' is no whole number: " + value.dump().substr(0, 80),
             kFormat);
    return value.get<std::int64_t>();
  }

  double number(const json& entry, const char* key, const char* in) const {
    const json& value = at(entry, key, in);
    if (!value.is_number())
      refuse(file_,
             std::string{"'"} + key + "' of an entry of '" + in +
                 "' is no number: " + value.dump().substr(0, 80),
             kFormat);
    return value.get<double>();
  }

  std::string text(const json& entry, const char* key, const char* in) const {
    const json& value = at(entry, key, in);
    if (!value.is_string())
      refuse(file_,
             std::string{"'"} + key + "' of an entry of '" + in +
                 "' is no text: " + value.dump().substr(0, 80),
             kFormat);
    return value.get<std::string>();
  }

  void add(const json& annotation, const std::vector<std::string>& classes,
           std::map<std::int64_t, Known>& known) const {
    const auto image = known.find(whole(annotation, "image_id", "annotations"));
    if (image == known.end())
      refuse(file_,
             "an annotation of an image that is not there: " + annotation.dump().substr(0, 80),
             kFormat);
    const auto category = names_.find(whole(annotation, "category_id", "annotations"));
    if (category == names_.end())
      refuse(file_,
             "an annotation of a category that is not there: " + annotation.dump().substr(0, 80),
             kFormat);
    const auto label = std::ranges::find(classes, category->second);
    if (label == classes.end()) return;
    const json& box = at(annotation, "bbox", "annotations");
    const bool is_box = box.is_array() && box.size() == 4 &&
                        std::ranges::all_of(box, [](const json& one) { return one.is_number(); });
    if (!is_box || box[2].get<double>() < 0 || box[3].get<double>() < 0)
      refuse(file_, "'bbox' is not [left, top, width, height]: " + box.dump().substr(0, 80),
             kFormat);
    const double width = box[2].get<double>() / image->second.width;
    const double height = box[3].get<double>() / image->second.height;
    const auto crowd = annotation.find("iscrowd");
    const bool is_crowd = crowd != annotation.end() && *crowd == 1;
    image->second.image.boxes.push_back(
        {static_cast<float>(label - classes.begin()),
         static_cast<float>(box[0].get<double>() / image->second.width + width / 2),
         static_cast<float>(box[1].get<double>() / image->second.height + height / 2),
         static_cast<float>(width), static_cast<float>(height), is_crowd ? 1.0F : 0.0F});
  }

  fs::path file_;
  json root_;
  std::map<std::int64_t, std::string> names_;
};

class Coco final : public thimble::BoxTableDataset {
 public:
  struct Params {
    std::string folder = "coco";
    std::string train = "annotations/instances_train2017.json";
    std::string train_images = "train2017";
    std::string test = "annotations/instances_val2017.json";
    std::string test_images = "val2017";
    std::vector<std::string> classes;
    thimble::BoxImageParams image;

    template <class Describe>
    static void describe(Describe& param) {
      param(&Params::folder, "folder", "where the rest is, relative to the data folder");
      param(&Params::train, "train", "annotations of the training part");
      param(&Params::train_images, "train_images", "folder of its images");
      param(&Params::test, "test", "annotations of the test part");
      param(&Params::test_images, "test_images", "folder of its images");
      param(&Params::classes, "classes", "names of categories to look for; by default all");
      param.include(&Params::image);
    }
  };

  Coco(Params params, const thimble::Context& context)
      : params_{std::move(params)}, table_{open(context)} {}

 private:
  const thimble::BoxTable& table() const override { return table_; }

  thimble::BoxTable open(const thimble::Context& context) const {
    const fs::path folder = context.data_folder / params_.folder;
    thimble::DatasetInfo info;
    info.name = "coco";
    info.shape = params_.image.shape();
    Annotations train{folder / params_.train};
    info.class_names = params_.classes.empty() ? train.names() : params_.classes;
    auto images = train.images(folder / params_.train_images, info.class_names, false);
    Annotations test{folder / params_.test};
    for (const Annotations* const part : {&train, &test}) require_known(info.class_names, *part);
    for (BoxedImage& image : test.images(folder / params_.test_images, info.class_names, true))
      images.push_back(std::move(image));
    info.classes = static_cast<int>(info.class_names.size());
    if (!params_.image.empty_images) thimble::drop_empty(images, info.remark);
    if (images.empty()) refuse(folder, "no image is left", "keep those without boxes");
    return {std::move(info), std::move(images), params_.image.scaling, folder, context};
  }

  static void require_known(const std::vector<std::string>& classes, const Annotations& part) {
    const auto known = part.names();
    if (classes.empty()) refuse(part.file(), "has no categories", "a class at least is looked for");
    for (const std::string& name : classes)
      if (std::ranges::find(known, name) == known.end())
        refuse(part.file(),
               "no category " + thimble::in_quotes(name) + thimble::did_you_mean(name, known),
               "'classes' are names of its categories");
  }

  Params params_;
  thimble::BoxTable table_;
};

}  // namespace

THIMBLE_PLUGIN("coco", "1.0.0") {
  plugin.provides<Coco>("images with boxes in JSON, as COCO has them");
}
