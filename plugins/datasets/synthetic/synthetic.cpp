// Generated images, or time series of shape 1 x T x S, for when there is no data. No source: made
// for thimble. A pixel of channel c is
//
//     x_c = brightness_c + sum_k a_kc cos(u_k y + v_k x + p_k) + noise
//
// Some waves belong to the class (frequencies, colours; strength and phase vary a little from
// sample to sample), the others to the sample alone: directions uniform, frequencies log-uniform,
// amplitudes equal, which gives the 1/f^2 power spectrum of photographs. The parts' variances add
// up to 1, means are 0. A sample depends on the seed, its split and its index only.

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include <thimble/dataset.hpp>

namespace {

// Shares of the variance.
constexpr double kBrightness = 0.25;
constexpr double kOfClass = 0.3;
constexpr double kOfSample = 0.4;
constexpr double kNoise = 0.05;

constexpr int kWavesOfClass = 4;
constexpr int kWavesOfSample = 6;
constexpr double kTint = 0.25;      // how much colours differ from grey; photographs hardly do
constexpr double kLowest = 0.5;     // frequency of a sample's waves, in cycles an image
constexpr double kHighest = 0.125;  // the same, in cycles a pixel
constexpr std::size_t kNoiseValues = 4096;

struct Wave {
  double down = 0.0;  // radians a pixel
  double across = 0.0;
  double phase = 0.0;
  std::vector<float> amplitudes;  // of each channel
};

/// cos and sin of start + i step, by rotation: far cheaper than so many calls of cos.
struct Rotation {
  std::vector<float> cosines;
  std::vector<float> sines;

  explicit Rotation(int count)
      : cosines(static_cast<std::size_t>(count)), sines(static_cast<std::size_t>(count)) {}

  void fill(double start, double step) {
    double c = std::cos(start), s = std::sin(start);
    const double dc = std::cos(step), ds = std::sin(step);
    for (std::size_t i = 0; i < cosines.size(); ++i) {
      cosines[i] = static_cast<float>(c);
      sines[i] = static_cast<float>(s);
      const double turned = c * dc - s * ds;
      s = s * dc + c * ds;
      c = turned;
    }
  }
};

/// Adds the wave to an image: cos(a + b) = cos a cos b - sin a sin b, a by row and b by column.
void add_wave(const Wave& wave, double strength, double shift, Rotation& rows, Rotation& columns,
              float* image) {
  rows.fill(wave.phase + shift, wave.down);
  columns.fill(0.0, wave.across);
  const std::size_t width = columns.cosines.size();
  for (const float amplitude : wave.amplitudes) {
    const float scale = amplitude * static_cast<float>(strength);
    for (std::size_t y = 0; y < rows.cosines.size(); ++y) {
      const float p = scale * rows.cosines[y], q = scale * rows.sines[y];
      for (std::size_t x = 0; x < width; ++x)
        image[x] += p * columns.cosines[x] - q * columns.sines[x];
      image += width;
    }
  }
}

class Synthetic final : public thimble::Dataset {
 public:
  struct Params {
    int channels = 3;
    int height = 32;
    int width = 32;
    int classes = 10;
    std::int64_t samples = 10000;
    std::int64_t test_samples = 2000;
    std::int64_t seed = 0;

    template <class Describe>
    static void describe(Describe& param) {
      param(&Params::channels, "channels", "channels of an image; 1 for a time series")
          .range(1, 64);
      param(&Params::height, "height", "rows of an image; points in time of a time series")
          .range(8, 1024);
      param(&Params::width, "width", "columns of an image; sensors of a time series")
          .range(1, 1024);
      param(&Params::classes, "classes", "number of classes").range(2, 1000);
      param(&Params::samples, "samples", "number of training samples").range(1, 1e7);
      param(&Params::test_samples, "test_samples", "number of test samples").range(0, 1e7);
      param(&Params::seed, "seed", "another one gives other classes and samples").at_least(0);
    }
  };

  explicit Synthetic(Params params)
      : params_{params}, noise_(kNoiseValues), looks_(static_cast<std::size_t>(params.classes)) {
    make_noise();
    for (std::size_t i = 0; i < looks_.size(); ++i) looks_[i] = make_look(i);
  }

  thimble::DatasetInfo describe() const override {
    return {.name = "synthetic",
            .shape = {params_.channels, params_.height, params_.width},
            .classes = params_.classes,
            .train_samples = params_.samples,
            .test_samples = params_.test_samples,
            .remark = "generated samples, not real data"};
  }

  thimble::Samples batch(thimble::Split split,
                         std::span<const std::int64_t> indices) const override {
    const at::NoGradGuard no_grad;
    const bool is_train = split == thimble::Split::train;
    const std::int64_t available = is_train ? params_.samples : params_.test_samples;
    const auto count = static_cast<std::int64_t>(indices.size());
    thimble::Samples samples{
        at::zeros({count, params_.channels, params_.height, params_.width}, at::kFloat),
        at::empty({count}, at::kLong)};
    const std::size_t elements = pixels() * static_cast<std::size_t>(params_.channels);
    auto* image = samples.images.data_ptr<float>();
    auto* label = samples.labels.data_ptr<std::int64_t>();
    Rotation rows{params_.height}, columns{params_.width};
    for (const std::int64_t index : indices) {
      if (index < 0 || index >= available)
        throw thimble::Error{"there is no sample " + std::to_string(index) + ", the last is " +
                             std::to_string(available - 1)};
      auto random = stream({is_train ? "train" : "test", std::to_string(index)});
      *label = label_of(index);
      draw(looks_[static_cast<std::size_t>(*label)], random, rows, columns, {image, elements});
      ++label;
      image += elements;
    }
    return samples;
  }

  /// Without drawing what belongs to them.
  std::vector<std::int64_t> labels(thimble::Split split) const override {
    const bool is_train = split == thimble::Split::train;
    std::vector<std::int64_t> all(
        static_cast<std::size_t>(is_train ? params_.samples : params_.test_samples));
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = label_of(static_cast<std::int64_t>(i));
    return all;
  }

  /// There is nothing beside the parameters.
  std::uint64_t fingerprint() const override { return 0; }

 private:
  using Look = std::vector<Wave>;  // what the samples of a class have in common

  std::int64_t label_of(std::int64_t index) const { return index % params_.classes; }

  thimble::Random stream(std::initializer_list<std::string_view> name) const {
    return thimble::Random::stream(static_cast<std::uint64_t>(params_.seed), name);
  }

  std::size_t pixels() const {
    return static_cast<std::size_t>(params_.height) * static_cast<std::size_t>(params_.width);
  }

  /// A weight for each channel: grey and some tint, of mean square 1.
  std::vector<float> tints(thimble::Random& random) const {
    std::vector<float> weights(static_cast<std::size_t>(params_.channels));
    for (float& weight : weights)
      weight = static_cast<float>((1.0 + kTint * random.normal()) / std::hypot(1.0, kTint));
    return weights;
  }

  /// Normal numbers to pick from; drawing fresh ones would take most of the time.
  void make_noise() {
    stream({"noise"}).fill_normal(noise_, 1.0);
    double sum = 0.0, squares = 0.0;
    for (const float value : noise_) {
      sum += value;
      squares += double{value} * value;
    }
    const double mean = sum / kNoiseValues;
    const double scale = std::sqrt(kNoise / (squares / kNoiseValues - mean * mean));
    for (float& value : noise_) value = static_cast<float>((value - mean) * scale);
  }

  /// Waves with whole numbers of periods, none twice: orthogonal and of mean 0.
  Look make_look(std::size_t number) const {
    auto random = stream({"class", std::to_string(number)});
    std::vector<std::pair<int, int>> periods;
    const int most_across = std::min(3, (params_.width - 1) / 2);
    for (int down = 0; down <= 3; ++down)
      for (int across = -most_across; across <= most_across; ++across)
        if (down > 0 || across > 0) periods.emplace_back(down, across);

    Look look;
    const auto available = static_cast<std::int64_t>(periods.size());
    for (const std::int64_t i :
         random.sample(available, std::min<std::int64_t>(kWavesOfClass, available))) {
      const auto [down, across] = periods[static_cast<std::size_t>(i)];
      look.push_back({2.0 * std::numbers::pi * down / params_.height,
                      2.0 * std::numbers::pi * across / params_.width,
                      2.0 * std::numbers::pi * random.uniform(), tints(random)});
    }
    for (std::size_t channel = 0; channel < look.front().amplitudes.size(); ++channel) {
      double squares = 0.0;
      for (const Wave& wave : look) squares += std::pow(wave.amplitudes[channel], 2);
      const double scale = std::sqrt(2.0 * kOfClass / squares);
      for (Wave& wave : look)
        wave.amplitudes[channel] = static_cast<float>(wave.amplitudes[channel] * scale);
    }
    return look;
  }

  void draw(const Look& look, thimble::Random& random, Rotation& rows, Rotation& columns,
            std::span<float> image) const {
    for (const Wave& wave : look) {
      const double strength = (1.0 + 0.3 * random.normal()) / std::hypot(1.0, 0.3);
      add_wave(wave, strength, 0.6 * random.normal(), rows, columns, image.data());
    }
    const double lowest = kLowest / std::max(params_.height, params_.width);
    for (int i = 0; i < kWavesOfSample; ++i) {
      const double frequency = lowest * std::pow(kHighest / lowest, random.uniform());
      const double step = 2.0 * std::numbers::pi * frequency;
      const double angle = 2.0 * std::numbers::pi * random.uniform();
      const Wave wave{step * std::cos(angle), step * std::sin(angle),
                      2.0 * std::numbers::pi * random.uniform(), tints(random)};
      add_wave(wave, std::sqrt(2.0 * kOfSample / kWavesOfSample), 0.0, rows, columns, image.data());
    }
    const double brightness = std::sqrt(kBrightness) * random.normal();
    float* pixel = image.data();
    for (const float tint : tints(random)) {
      const auto level = static_cast<float>(brightness * tint);
      std::uint64_t bits = 0;
      for (std::size_t i = 0; i < pixels(); ++i, bits >>= 16) {
        if (i % 4 == 0) bits = random();
        *pixel++ += level + noise_[bits % kNoiseValues];
      }
    }
  }

  Params params_;
  std::vector<float> noise_;
  std::vector<Look> looks_;
};

}  // namespace

THIMBLE_PLUGIN("synthetic", "1.0.0") {
  plugin.provides<Synthetic>("generated images or time series, for when there is no data");
}
