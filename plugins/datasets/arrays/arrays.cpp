// Arrays that NumPy saved, and a YAML file beside them that says what they are. No source: made for
// thimble.

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <thimble/core/error.hpp>
#include <thimble/core/index.hpp>
#include <thimble/core/text.hpp>
#include <thimble/core/yaml.hpp>
#include <thimble/dataset.hpp>
#include <thimble/nn/npy.hpp>
#include <thimble/nn/sample_table.hpp>

namespace {

namespace fs = std::filesystem;
using thimble::at;

enum class Axes { nchw, nhwc, nhw, nct, ntc, nt };

const std::vector<std::pair<std::string, Axes>>& names_of(Axes) {
  static const std::vector<std::pair<std::string, Axes>> kNames{
      {"NCHW", Axes::nchw}, {"NHWC", Axes::nhwc}, {"NHW", Axes::nhw},
      {"NCT", Axes::nct},   {"NTC", Axes::ntc},   {"NT", Axes::nt}};
  return kNames;
}

std::string letters(Axes axes) {
  return std::ranges::find(names_of(axes), axes, &std::pair<std::string, Axes>::second)->first;
}

/// Arrays of as many rows, a sample each.
struct Files {
  std::string x;
  std::string y;
  std::string groups;

  template <class Describe>
  static void describe(Describe& param) {
    param(&Files::x, "X", "array of the samples");
    param(&Files::y, "y", "array of their classes, 0, 1, ...");
    param(&Files::groups, "groups", "array of the persons, tracks, ... they come from");
  }
};

/// The YAML file.
struct Description {
  Files all;
  std::optional<Files> train;
  std::optional<Files> test;
  std::string split;
  Axes axes = Axes::nchw;
  thimble::Layout layout = thimble::Layout::channels;
  std::optional<thimble::Medium> medium;
  int classes = 0;
  std::vector<std::string> class_names;
  thimble::SplitRule rule;
  thimble::Scaling scaling;

  template <class Describe>
  static void describe(Describe& param) {
    param.include(&Description::all);
    param(&Description::train, "train", "X, y and groups of the training part");
    param(&Description::test, "test", "X, y and groups of the test part");
    param(&Description::split, "split", "array of 0 for training and 1 for testing");
    param(&Description::axes, "axes", "what the dimensions of X are").required();
    param(&Description::layout, "layout",
          "of series: channels, sensors x 1 x time, or rows, 1 x time x sensors");
    param(&Description::medium, "medium", "by default series where the axes have a T");
    param(&Description::classes, "classes", "how many; by default the largest in y and one more")
        .range(2, 100000);
    param(&Description::class_names, "class_names", "their names, the first that of class 0");
    param.include(&Description::rule);
    param.include(&Description::scaling);
  }
};

[[noreturn]] void refuse(const fs::path& file, std::string message, std::string note) {
  throw thimble::InputError{
      thimble::Diagnostic{{file.string()}, std::move(message), std::move(note)}};
}

std::string row_text(std::size_t row) { return "row " + std::to_string(row) + " (the first is 0)"; }

/// Whole numbers, as many as samples.
std::vector<std::int64_t> read_column(const fs::path& file, const thimble::Npy& samples) {
  const thimble::Npy column{file};
  auto numbers = column.whole_numbers();
  if (column.rows() != samples.rows())
    refuse(file,
           thimble::count_text(column.rows(), "row") + ", and " +
               thimble::count_text(samples.rows(), "sample") + " in " + samples.path().string(),
           "a row of one belongs to a row of the other");
  return numbers;
}

/// How a sample lies in the file: the step between neighbours along each of C, H and W.
struct Order {
  thimble::Shape shape;
  std::int64_t channel = 0;
  std::int64_t row = 0;
  std::int64_t column = 0;

  Order(const std::string& letters, thimble::Layout layout, const thimble::Npy& samples) {
    const auto& sizes = samples.shape();
    if (sizes.size() != letters.size())
      refuse(samples.path(),
             thimble::count_text(std::ssize(sizes), "dimension") + ", and the axes " + letters +
                 " are " + std::to_string(letters.size()),
             "'axes' names every dimension of X, N first");
    // Sensors and time of a series stand for two of an image's axes.
    const bool is_rows = layout == thimble::Layout::rows && letters.find('T') != std::string::npos;
    shape = {1, 1, 1};
    std::int64_t step = 1;
    for (std::size_t i = letters.size(); --i > 0; step *= sizes[i]) {
      const char letter = letters[i];
      if (sizes[i] > 65536)
        refuse(samples.path(),
               "dimension " + std::to_string(i) + " of its shape is " + std::to_string(sizes[i]),
               "thimble's shapes go up to 65536");
      const auto size = static_cast<int>(sizes[i]);
      if (letter == 'H' || (letter == 'T' && is_rows))
        shape.height = size, row = step;
      else if (letter == 'W' || letter == 'T' || is_rows)
        shape.width = size, column = step;
      else
        shape.channels = size, channel = step;
    }
  }

  bool is_straight() const {
    return (shape.width == 1 || column == 1) && (shape.height == 1 || row == shape.width) &&
           (shape.channels == 1 || channel == shape.pixels());
  }
};

/// Reads the description's arrays.
class Arrays final : public thimble::TableDataset {
 public:
  struct Params {
    std::string file;

    template <class Describe>
    static void describe(Describe& param) {
      param(&Params::file, "file",
            "the YAML file that describes the arrays, relative to the data folder")
          .required();
    }
  };

  Arrays(const Params& params, const thimble::Context& context)
      : file_{context.data_folder / params.file}, given_{read_description(file_)}, table_{open()} {}

 private:
  const thimble::SampleTable& table() const override { return table_; }

  struct Part {
    thimble::Npy samples;
    Order order;
    std::vector<std::int64_t> labels;
    std::vector<std::int64_t> groups;
  };

  static Description read_description(const fs::path& file) {
    thimble::Diagnostics problems;
    auto description =
        thimble::read_params<Description>(thimble::read_yaml(file), "the arrays", problems);
    problems.throw_if_any();
    const bool is_one = !description.all.x.empty() && !description.train && !description.test;
    const bool are_two = description.all.x.empty() && description.train && description.test;
    if (!is_one && !are_two)
      refuse(file, "neither 'X' alone nor both 'train' and 'test' are given",
             "one array of all samples, or one of each part");
    if (are_two && !(description.split.empty() && description.rule.test_groups.empty()))
      refuse(file, "'train' and 'test' are parts already, and more is said of the split",
             "leave 'split' and 'test_groups' out");
    if (!description.split.empty() && !description.rule.test_groups.empty())
      refuse(file, "'split' and 'test_groups' both say what is tested on", "leave one of them out");
    return description;
  }

  fs::path beside(const std::string& name) const { return file_.parent_path() / name; }

  Part open_part(const Files& files) const {
    if (files.x.empty() || files.y.empty())
      refuse(file_, "'X' or 'y' is missing", "samples and their classes are an array each");
    thimble::Npy samples{beside(files.x)};
    const Order order{letters(given_.axes), given_.layout, samples};
    auto labels = read_column(beside(files.y), samples);
    check_labels(labels, beside(files.y));
    std::vector<std::int64_t> groups;
    if (!files.groups.empty()) groups = read_column(beside(files.groups), samples);
    return {std::move(samples), order, std::move(labels), std::move(groups)};
  }

  int classes() const {
    return given_.class_names.empty() ? given_.classes
                                      : static_cast<int>(given_.class_names.size());
  }

  void check_labels(const std::vector<std::int64_t>& labels, const fs::path& file) const {
    constexpr std::int64_t kMost = 100000;
    const std::int64_t end = classes() > 0 ? classes() : kMost;
    for (std::size_t i = 0; i < labels.size(); ++i)
      if (labels[i] < 0 || labels[i] >= end)
        refuse(file,
               "class " + std::to_string(labels[i]) + " in " + row_text(i) + ", expected 0 to " +
                   std::to_string(end - 1),
               "classes are numbered from 0; 'classes' or 'class_names' say how many there are");
  }

  thimble::SampleTable open() {
    if (given_.classes > 0 && !given_.class_names.empty() && given_.classes != classes())
      refuse(file_,
             thimble::count_text(classes(), "class name") + ", and 'classes' is " +
                 std::to_string(given_.classes),
             "one is enough");
    if (given_.train) {
      parts_.push_back(open_part(*given_.train));
      parts_.push_back(open_part(*given_.test));
      if (parts_[0].order.shape != parts_[1].order.shape)
        refuse(parts_[1].samples.path(),
               "samples of " + to_string(parts_[1].order.shape) + ", those to train with are " +
                   to_string(parts_[0].order.shape),
               "both parts have the same shape");
      if (parts_[0].groups.empty() != parts_[1].groups.empty())
        refuse(file_, "only one of 'train' and 'test' has 'groups'", "both, or neither");
    } else {
      parts_.push_back(open_part(given_.all));
    }
    thimble::SampleList list = read_list();
    const bool is_series = letters(given_.axes).find('T') != std::string::npos;
    thimble::DatasetInfo info;
    info.name = "arrays";
    info.shape = parts_.front().order.shape;
    info.medium =
        given_.medium.value_or(is_series ? thimble::Medium::series : thimble::Medium::images);
    info.classes =
        classes() > 0 ? classes() : 1 + static_cast<int>(*std::ranges::max_element(list.labels));
    if (info.classes < 2)
      refuse(file_, "all samples are of one class", "there is nothing to tell apart");
    info.class_names = given_.class_names;
    return {std::move(info), std::move(list),
            given_.rule,     is_series ? given_.layout : thimble::Layout::channels,
            given_.scaling,  [this](std::int64_t sample, std::span<float> to) { read(sample, to); },
            file_.string()};
  }

  thimble::SampleList read_list() const {
    thimble::SampleList list;
    for (const Part& part : parts_) {
      list.labels.insert(list.labels.end(), part.labels.begin(), part.labels.end());
      for (const std::int64_t group : part.groups) list.groups.push_back(std::to_string(group));
      if (given_.train) list.is_test.resize(list.labels.size(), &part == &parts_.back());
    }
    if (given_.split.empty()) return list;
    const fs::path file = beside(given_.split);
    const auto split = read_column(file, parts_.front().samples);
    for (std::size_t i = 0; i < split.size(); ++i) {
      if (split[i] != 0 && split[i] != 1)
        refuse(file, std::to_string(split[i]) + " in " + row_text(i),
               "it is 0 for training or 1 for testing");
      list.is_test.push_back(split[i] == 1);
    }
    return list;
  }

  void read(std::int64_t sample, std::span<float> to) const {
    const bool is_second = sample >= parts_.front().samples.rows();
    const Part& part = is_second ? parts_.back() : parts_.front();
    const std::int64_t row = is_second ? sample - parts_.front().samples.rows() : sample;
    const Order& order = part.order;
    if (order.is_straight()) return part.samples.read(row, to);
    std::vector<float> read(to.size());
    part.samples.read(row, read);
    auto next = to.begin();
    for (int c = 0; c < order.shape.channels; ++c)
      for (int y = 0; y < order.shape.height; ++y) {
        const float* from = read.data() + c * order.channel + y * order.row;
        for (int x = 0; x < order.shape.width; ++x, from += order.column) *next++ = *from;
      }
  }

  fs::path file_;
  Description given_;
  std::vector<Part> parts_;  ///< all samples, or those for training and those for testing
  thimble::SampleTable table_;
};

}  // namespace

THIMBLE_PLUGIN("arrays", "1.0.0") {
  plugin.provides<Arrays>("your own arrays, as NumPy saves them, and a YAML file about them");
}
