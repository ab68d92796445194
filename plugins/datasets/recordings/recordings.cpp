// Recordings of your own: signals in CSV files, cut into windows, or series in the format of the
// UEA archive (A. Bagnall et al., "The UEA multivariate time series classification archive, 2018",
// arXiv 1811.00075).

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <thimble/core/error.hpp>
#include <thimble/core/index.hpp>
#include <thimble/dataset.hpp>
#include <thimble/nn/sample_table.hpp>

#include "series.hpp"

namespace {

namespace fs = std::filesystem;
using recordings::refuse;

class Recordings final : public thimble::TableDataset {
 public:
  struct Params {
    std::string folder;
    std::vector<std::string> signals;
    std::string label = "label";
    std::string group;
    std::string table;
    std::string train;
    std::string test;
    std::optional<int> length;
    std::optional<int> stride;
    thimble::Layout layout = thimble::Layout::channels;
    std::vector<std::string> class_names;
    thimble::SplitRule rule;
    thimble::Scaling scaling;

    template <class Describe>
    static void describe(Describe& param) {
      param(&Params::folder, "folder",
            "folder of the CSV or .ts files, or one CSV file, relative to the data folder")
          .required();
      param(&Params::signals, "signals", "columns of the CSV files that are signals");
      param(&Params::label, "label", "column of the class");
      param(&Params::group, "group", "column of the person; without it each file is a group");
      param(&Params::table, "table",
            "CSV file with a row for each file to read: its name in the column file, and label and "
            "group where the files do not have them");
      param(&Params::train, "train", "instead of CSV: .ts file of the training part");
      param(&Params::test, "test", ".ts file of the test part");
      param(&Params::length, "length",
            "points in time of a sample; .ts files may leave it to the first series")
          .range(1, 65536);
      param(&Params::stride, "stride", "rows from one window to the next; by default its length")
          .range(1, 65536);
      param(&Params::layout, "layout",
            "a channel for each sensor, sensors x 1 x time, or a row for each moment, 1 x time x "
            "sensors");
      param(&Params::class_names, "class_names",
            "the classes in order; by default those that occur");
      param.include(&Params::rule);
      param.include(&Params::scaling, {"scale", "offset"});
    }
  };

  Recordings(Params params, const thimble::Context& context)
      : params_{std::move(params)}, folder_{context.data_folder / params_.folder}, table_{open()} {}

 private:
  const thimble::SampleTable& table() const override { return table_; }

  void read_ts_files(thimble::SampleList& list) {
    if (params_.train.empty() || params_.test.empty() || !params_.signals.empty())
      refuse({folder_.string()}, "neither 'signals' alone nor both 'train' and 'test' are given",
             "the columns of CSV files, or two .ts files");
    recordings::read_ts_file(folder_ / params_.train, params_.length.value_or(0),
                             params_.class_names, series_);
    list.is_test.resize(series_.begins.size(), false);
    recordings::read_ts_file(folder_ / params_.test, params_.length.value_or(0),
                             params_.class_names, series_);
    list.is_test.resize(series_.begins.size(), true);
  }

  void read_csv_files() {
    if (!params_.length)
      refuse({folder_.string()}, "'length' is missing", "how many rows a window has");
    series_ = recordings::read_csv_files(
        folder_, {params_.signals, params_.label, params_.group, params_.table, *params_.length,
                  params_.stride.value_or(*params_.length), params_.class_names});
  }

  thimble::SampleTable open() {
    thimble::require_class_names(params_.class_names, folder_.string());
    thimble::SampleList list;
    if (params_.signals.empty() || !params_.train.empty() || !params_.test.empty())
      read_ts_files(list);
    else
      read_csv_files();
    list.groups = std::move(series_.groups);
    thimble::DatasetInfo info;
    info.name = "recordings";
    info.class_names = params_.class_names;
    list.labels = thimble::number_labels(series_.labels, info.class_names);
    info.shape = thimble::series_shape(params_.layout, series_.sensors, series_.length);
    info.medium = thimble::Medium::series;
    info.classes = static_cast<int>(info.class_names.size());
    if (info.classes < 2)
      refuse({folder_.string()}, "all samples are of one class", "there is nothing to tell apart");
    return {std::move(info), std::move(list),
            params_.rule,    params_.layout,
            params_.scaling, [this](std::int64_t sample, std::span<float> to) { read(sample, to); },
            folder_.string()};
  }

  void read(std::int64_t sample, std::span<float> to) const {
    const float* const from = series_.values.data() + series_.begins[thimble::at(sample)];
    if (params_.layout == thimble::Layout::rows) {
      std::copy_n(from, to.size(), to.begin());
      return;
    }
    const auto length = thimble::at(series_.length), sensors = thimble::at(series_.sensors);
    for (std::size_t sensor = 0; sensor < sensors; ++sensor)
      for (std::size_t time = 0; time < length; ++time)
        to[sensor * length + time] = from[time * sensors + sensor];
  }

  Params params_;
  fs::path folder_;
  recordings::Series series_;
  thimble::SampleTable table_;
};

}  // namespace

THIMBLE_PLUGIN("recordings", "1.0.0") {
  plugin.provides<Recordings>("your own recordings: windows of CSV files, or series of .ts files");
}
