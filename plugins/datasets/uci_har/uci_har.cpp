// UCI-HAR: 10,299 windows of 2.56 s from the smartphones of 30 people in 6 activities, 9 sensors at
// 50 Hz. D. Anguita, A. Ghio, L. Oneto, X. Parra and J. L. Reyes-Ortiz, "A Public Domain Dataset
// for Human Activity Recognition Using Smartphones", ESANN 2013; UCI Machine Learning Repository
// 240.
//
// People are in one split only: windows of one person are too much alike to tell how well a network
// does on others. Each sensor has mean 0 and deviation 1 over the training windows.

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include <thimble/core/error.hpp>
#include <thimble/dataset.hpp>
#include <thimble/nn/sample_table.hpp>

#include "recordings.hpp"

namespace {

using thimble::Layout;
using uci_har::kLength;
using uci_har::kSensors;

constexpr std::size_t kWindow = kSensors * kLength;

class UciHar final : public thimble::Dataset {
 public:
  struct Params {
    std::string folder = "uci_har";
    std::vector<int> test_people{2, 4, 9, 10, 12, 13, 18, 20, 24};
    Layout layout = Layout::rows;

    template <class Describe>
    static void describe(Describe& param) {
      param(&Params::folder, "folder", "where the files are, relative to the data folder");
      param(&Params::test_people, "test_people", "whose windows are for testing; the official nine")
          .range(1, uci_har::kPeople);
      param(&Params::layout, "layout",
            "a row for each moment, 1x128x9, or a channel for each sensor, 9x1x128");
    }
  };

  UciHar(Params params, const thimble::Context& context)
      : params_{std::move(params)},
        recordings_{uci_har::read_recordings(context.data_folder / params_.folder)} {
    for (std::size_t i = 0; i < recordings_.people.size(); ++i) {
      const bool is_test = std::ranges::count(params_.test_people, recordings_.people[i]) > 0;
      (is_test ? test_ : train_).push_back(i);
    }
    if (train_.empty())
      throw thimble::InputError{"everybody is in 'test_people', nobody is left to train with",
                                "leave somebody out of it"};
    normalise();
  }

  thimble::DatasetInfo describe() const override {
    const UciHar::Params official;
    return {.name = "uci_har",
            .shape = shape(),
            .medium = thimble::Medium::series,
            .classes = static_cast<int>(uci_har::kActivities),
            .class_names = {"walking", "upstairs", "downstairs", "sitting", "standing", "lying"},
            .train_samples = std::ssize(train_),
            .test_samples = std::ssize(test_),
            .remark = params_.test_people == official.test_people ? "" : "not the official split"};
  }

  thimble::Samples batch(thimble::Split split,
                         std::span<const std::int64_t> indices) const override {
    const at::NoGradGuard no_grad;
    const auto& windows = windows_of(split);
    const auto count = static_cast<std::int64_t>(indices.size());
    thimble::Samples samples{
        at::empty({count, shape().channels, shape().height, shape().width}, at::kFloat),
        at::empty({count}, at::kLong)};
    auto* value = samples.images.data_ptr<float>();
    auto* label = samples.labels.data_ptr<std::int64_t>();
    for (const std::int64_t index : indices) {
      if (index < 0 || index >= std::ssize(windows))
        throw thimble::Error{"there is no sample " + std::to_string(index) + ", the last is " +
                             std::to_string(std::ssize(windows) - 1)};
      const std::size_t window = windows[static_cast<std::size_t>(index)];
      value = write_window(recordings_.signals.data() + window * kWindow, value);
      *label++ = recordings_.activities[window];
    }
    return samples;
  }

  std::vector<std::int64_t> labels(thimble::Split split) const override {
    return of_windows(split, recordings_.activities);
  }

  std::vector<std::int64_t> groups(thimble::Split split) const override {
    return of_windows(split, recordings_.people);
  }

 private:
  const std::vector<std::size_t>& windows_of(thimble::Split split) const {
    return split == thimble::Split::train ? train_ : test_;
  }

  std::vector<std::int64_t> of_windows(thimble::Split split,
                                       const std::vector<std::int64_t>& all) const {
    std::vector<std::int64_t> picked;
    for (const std::size_t window : windows_of(split)) picked.push_back(all[window]);
    return picked;
  }

  thimble::Shape shape() const { return thimble::series_shape(params_.layout, kSensors, kLength); }

  /// From a row a sensor, as recordings lie. Returns the end of what was written.
  float* write_window(const float* signals, float* to) const {
    if (params_.layout == Layout::channels) return std::copy_n(signals, kWindow, to);
    for (std::size_t time = 0; time < kLength; ++time)
      for (std::size_t sensor = 0; sensor < kSensors; ++sensor)
        *to++ = signals[sensor * kLength + time];
    return to;
  }

  void normalise() {
    for (std::size_t sensor = 0; sensor < kSensors; ++sensor) {
      double sum = 0, squares = 0;
      for (const std::size_t window : train_)
        for (const float value : readings(window, sensor)) {
          sum += value;
          squares += double{value} * value;
        }
      const auto count = static_cast<double>(train_.size() * kLength);
      const double mean = sum / count;
      const double variance = squares / count - mean * mean;
      const double scale = variance > 0 ? 1.0 / std::sqrt(variance) : 1.0;
      for (std::size_t window = 0; window < recordings_.people.size(); ++window)
        for (float& value : readings(window, sensor))
          value = static_cast<float>((value - mean) * scale);
    }
  }

  std::span<float> readings(std::size_t window, std::size_t sensor) {
    return std::span{recordings_.signals}.subspan(window * kWindow + sensor * kLength, kLength);
  }

  Params params_;
  uci_har::Recordings recordings_;
  std::vector<std::size_t> train_;  ///< windows
  std::vector<std::size_t> test_;
};

}  // namespace

THIMBLE_PLUGIN("uci_har", "1.0.0") {
  plugin.provides<UciHar>("UCI-HAR: 10,299 windows of inertial sensors, 1x128x9, 6 activities");
}
