// Pictures in a folder for each class, the usual way to keep one's own. No source: made for
// thimble. They are decoded and resized once, and kept as bytes in a file of the cache.

#include <algorithm>
#include <filesystem>
#include <optional>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include <thimble/core/error.hpp>
#include <thimble/core/index.hpp>
#include <thimble/core/text.hpp>
#include <thimble/dataset.hpp>
#include <thimble/nn/image_file.hpp>
#include <thimble/nn/image_store.hpp>
#include <thimble/nn/sample_table.hpp>

namespace {

namespace fs = std::filesystem;

enum class Channels { grey = 1, colours = 3 };

const std::vector<std::pair<std::string, Channels>>& names_of(Channels) {
  static const std::vector<std::pair<std::string, Channels>> kNames{{"3", Channels::colours},
                                                                    {"1", Channels::grey}};
  return kNames;
}

[[noreturn]] void refuse(const fs::path& file, std::string message, std::string note) {
  throw thimble::InputError{
      thimble::Diagnostic{{file.string()}, std::move(message), std::move(note)}};
}

bool is_image(const fs::path& file) {
  if (!thimble::has_image_name(file)) return false;
  if (!fs::is_regular_file(file))
    refuse(file, "has an image's name and is no file", "remove or rename it");
  return true;
}

/// What is directly in a folder, in order of names, but for what is hidden: systems keep there what
/// is no image of anybody's, such as ._NAME.png beside each NAME.png.
std::vector<fs::path> entries(const fs::path& folder) {
  std::error_code problem;
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator{folder, problem})
    if (!entry.path().filename().string().starts_with('.')) found.push_back(entry.path());
  if (problem) refuse(folder, problem.message(), "'folder' says where the folders of classes are");
  std::ranges::sort(found);
  return found;
}

class ImageFolder final : public thimble::TableDataset {
 public:
  struct Params {
    std::string folder;
    int height = 32;
    int width = 32;
    Channels channels = Channels::colours;
    std::string group;
    std::vector<std::string> class_names;
    thimble::SplitRule rule;
    thimble::Scaling scaling;

    template <class Describe>
    static void describe(Describe& param) {
      param(&Params::folder, "folder", "the folders of classes, relative to the data folder")
          .required();
      param(&Params::height, "height", "what images are resized to").range(1, 4096);
      param(&Params::width, "width", "likewise").range(1, 4096);
      param(&Params::channels, "channels", "red, green and blue, or brightness alone");
      param(&Params::group, "group",
            "regular expression, found in CLASS/FILE; its first parentheses are the group");
      param(&Params::class_names, "class_names",
            "folders of classes in order; by default all, by name");
      param.include(&Params::rule);
      param.include(&Params::scaling, {"scale", "offset"});
    }
  };

  ImageFolder(Params params, const thimble::Context& context)
      : params_{std::move(params)},
        folder_{context.data_folder / params_.folder},
        table_{open(context)} {}

 private:
  const thimble::SampleTable& table() const override { return table_; }

  /// Files and classes, before classes have numbers.
  struct Found {
    std::vector<fs::path> files;
    std::vector<std::string> classes;
  };

  thimble::Shape shape() const {
    return {static_cast<int>(params_.channels), params_.height, params_.width};
  }

  static void list_classes(const fs::path& folder, Found& found) {
    for (const fs::path& class_folder : entries(folder)) {
      if (!fs::is_directory(class_folder)) {
        if (is_image(class_folder))
          refuse(class_folder, "an image in no folder of a class",
                 "move it into one, or elsewhere");
        continue;
      }
      const std::size_t before = found.files.size();
      for (const fs::path& file : entries(class_folder))
        if (is_image(file))
          found.files.push_back(file);
        else if (fs::is_directory(file))
          refuse(file, "a folder in that of a class",
                 "images are CLASS/FILE, or train/CLASS/FILE and test/CLASS/FILE");
      if (found.files.size() == before)
        refuse(class_folder, "no .png, .jpg or .jpeg in it", "each folder is a class");
      found.classes.resize(found.files.size(), class_folder.filename().string());
    }
    if (found.files.empty())
      refuse(folder, "no folder with images in it", "each folder in it is a class");
  }

  std::vector<std::string> find_groups(const std::vector<fs::path>& files) const try {
    std::vector<std::string> groups;
    if (params_.group.empty()) return groups;
    const std::regex pattern{params_.group};
    for (const fs::path& file : files) {
      const std::string name = (file.parent_path().filename() / file.filename()).string();
      std::smatch match;
      if (!std::regex_search(name, match, pattern) || match.size() < 2)
        refuse(file, "'group' finds no group in " + thimble::in_quotes(name),
               "it is " + params_.group + "; the group is what its first parentheses hold");
      groups.push_back(match[1]);
    }
    return groups;
  } catch (const std::regex_error& error) {
    refuse(folder_, "'group' is no regular expression: " + params_.group, error.what());
  }

  /// Beside 'train' and 'test', so that nobody believes that they are learned from.
  std::string remark_on_other_folders() const {
    std::vector<std::string> others;
    for (const fs::path& entry : entries(folder_))
      if (const auto name = entry.filename();
          fs::is_directory(entry) && name != "train" && name != "test")
        others.push_back(thimble::in_quotes(name.string()));
    return others.empty() ? ""
                          : "beside 'train' and 'test' not looked at: " + thimble::join(others);
  }

  thimble::SampleTable open(const thimble::Context& context) {
    thimble::require_class_names(params_.class_names, folder_.string());
    Found found;
    thimble::SampleList list;
    thimble::DatasetInfo info;
    if (fs::is_directory(folder_ / "train") && fs::is_directory(folder_ / "test")) {
      list_classes(folder_ / "train", found);
      list.is_test.resize(found.files.size(), false);
      list_classes(folder_ / "test", found);
      list.is_test.resize(found.files.size(), true);
      info.remark = remark_on_other_folders();
    } else {
      list_classes(folder_, found);
    }
    info.name = "image_folder";
    info.shape = shape();
    info.class_names = params_.class_names;
    list.labels = thimble::number_labels(found.classes, info.class_names);
    info.classes = static_cast<int>(info.class_names.size());
    if (info.classes < 2)
      refuse(folder_, "all images are of one class", "each folder in it is a class");
    for (std::size_t i = 0; i < list.labels.size(); ++i)
      if (list.labels[i] < 0)
        refuse(found.files[i].parent_path(), "none of 'class_names'",
               "they are " + thimble::join(info.class_names));
    list.groups = find_groups(found.files);
    images_.emplace(found.files, shape(), thimble::ImageFit::stretch, folder_, context);
    return {std::move(info),
            std::move(list),
            params_.rule,
            thimble::Layout::channels,
            params_.scaling,
            [this](std::int64_t sample, std::span<float> to) { images_->read(sample, to); },
            folder_.string()};
  }

  Params params_;
  fs::path folder_;
  std::optional<thimble::ImageStore> images_;
  thimble::SampleTable table_;
};

}  // namespace

THIMBLE_PLUGIN("image_folder", "1.0.0") {
  plugin.provides<ImageFolder>("your own images, PNG and JPEG, in a folder for each class");
}
