#include <thimble/train/augmentation.hpp>

#include <algorithm>
#include <cmath>
#include <string>

#include <thimble/core/index.hpp>
#include <thimble/core/random.hpp>
#include <thimble/nn/boxes.hpp>
#include <thimble/nn/dataset.hpp>
#include <thimble/nn/propagation/tensor.hpp>

namespace thimble {

const std::vector<std::pair<std::string, Flip>>& names_of(Flip) {
  static const std::vector<std::pair<std::string, Flip>> kNames{
      {"none", Flip::none}, {"random", Flip::random}, {"alternating", Flip::alternating}};
  return kNames;
}

namespace {

/// One sample, channel by channel and row by row.
struct Picture {
  float* values;
  int channels, height, width;

  float* row(int channel, int y) const {
    return values + (std::ptrdiff_t{channel} * height + y) * width;
  }
};

int between(Random& random, int least, int most) {
  return least + static_cast<int>(random.below(static_cast<std::uint64_t>(most - least) + 1));
}

/// A place beyond an end, mirrored at it.
int mirrored(int place, int size) {
  if (place >= 0 && place < size) return place;
  const int period = std::max(1, 2 * (size - 1));
  const int within = ((place % period) + period) % period;
  return within < size ? within : period - within;
}

/// Which column or row moves to each place.
std::vector<int> sources(int size, int shift, bool is_flipped) {
  std::vector<int> from(at(size));
  for (int i = 0; i < size; ++i) {
    const int place = mirrored(i + shift, size);
    from[at(i)] = is_flipped ? size - 1 - place : place;
  }
  return from;
}

void move(const Picture& picture, const std::vector<int>& rows, const std::vector<int>& columns) {
  const std::size_t plane = at(picture.height) * at(picture.width);
  const bool keeps_columns = columns == sources(picture.width, 0, false);
  std::vector<float> before(plane);
  for (int channel = 0; channel < picture.channels; ++channel) {
    float* const to = picture.row(channel, 0);
    std::copy_n(to, plane, before.data());
    for (int y = 0; y < picture.height; ++y) {
      const float* const from = before.data() + at(rows[at(y)]) * at(picture.width);
      float* const row = picture.row(channel, y);
      if (keeps_columns) {
        std::copy_n(from, picture.width, row);
      } else {
        for (int x = 0; x < picture.width; ++x) row[x] = from[columns[at(x)]];
      }
    }
  }
}

/// Two neighbours that a value lies between, and their shares; none beyond the border.
struct Between {
  int first = 0;
  int second = 0;
  float share = 0;  ///< of the first
  float rest = 0;   ///< of the second
};

/// Where what moves to each place comes from; centres of pixels lie half a pixel from their
/// corners.
std::vector<Between> sources(int size, const SideMove& move) {
  std::vector<Between> from(at(size));
  for (int i = 0; i < size; ++i) {
    const double place = ((i + 0.5) / size - move.offset) / move.factor * size - 0.5;
    const auto first = static_cast<int>(std::floor(place));
    const auto rest = static_cast<float>(place - first);
    Between& own = from[at(i)];
    if (first >= 0 && first < size) own.first = first, own.share = 1 - rest;
    if (first + 1 >= 0 && first + 1 < size) own.second = first + 1, own.rest = rest;
  }
  return from;
}

/// Moves what a picture shows; where nothing comes from is 0, the mean.
void move(const Picture& picture, const SideMove& across, const SideMove& down) {
  const auto columns = sources(picture.width, across), rows = sources(picture.height, down);
  const std::size_t plane = at(picture.height) * at(picture.width);
  std::vector<float> before(plane);
  for (int channel = 0; channel < picture.channels; ++channel) {
    std::copy_n(picture.row(channel, 0), plane, before.data());
    for (int y = 0; y < picture.height; ++y) {
      const Between& row = rows[at(y)];
      const float* const above = before.data() + at(row.first) * at(picture.width);
      const float* const below = before.data() + at(row.second) * at(picture.width);
      float* to = picture.row(channel, y);
      for (const Between& column : columns)
        *to++ =
            row.share * (column.share * above[column.first] + column.rest * above[column.second]) +
            row.rest * (column.share * below[column.first] + column.rest * below[column.second]);
    }
  }
}

/// Contrast and brightness of all, and how far colours are from grey.
void recolour(const Picture& picture, double most, Random& random) {
  const auto change = [&] { return static_cast<float>(most * (2 * random.uniform() - 1)); };
  const float contrast = 1 + change(), brightness = change(), saturation = 1 + change();
  for (int y = 0; y < picture.height; ++y)
    for (int x = 0; x < picture.width; ++x) {
      float grey = 0;
      for (int channel = 0; channel < picture.channels; ++channel)
        grey += picture.row(channel, y)[x] / static_cast<float>(picture.channels);
      for (int channel = 0; channel < picture.channels; ++channel) {
        float& value = picture.row(channel, y)[x];
        value = contrast * (grey + saturation * (value - grey)) + brightness;
      }
    }
}

void cut_out(const Picture& picture, int side, Random& random) {
  const int top = between(random, 0, picture.height - 1) - side / 2;
  const int left = between(random, 0, picture.width - 1) - side / 2;
  for (int channel = 0; channel < picture.channels; ++channel)
    for (int y = std::max(0, top); y < std::min(picture.height, top + side); ++y)
      for (int x = std::max(0, left); x < std::min(picture.width, left + side); ++x)
        picture.row(channel, y)[x] = 0;
}

bool is_flipped(const Augmentation& how, int epoch, Random& always, Random& now) {
  switch (how.flip) {
    case Flip::none: return false;
    case Flip::random: return now.below(2) == 1;
    case Flip::alternating: return (always.below(2) + static_cast<std::uint64_t>(epoch)) % 2 == 1;
  }
  return false;
}

void alter_image(const Picture& picture, const Augmentation& how, int epoch, Random& always,
                 Random& now) {
  const bool flipped = is_flipped(how, epoch, always, now);
  const int down = between(now, -how.crop, how.crop), right = between(now, -how.crop, how.crop);
  if (flipped || down != 0 || right != 0)
    move(picture, sources(picture.height, down, false), sources(picture.width, right, flipped));
  if (how.cutout > 0) cut_out(picture, how.cutout, now);
  if (how.colour > 0) recolour(picture, how.colour, now);
}

/// A side scaled about any of its points, shifted, and mirrored.
SideMove drawn_move(double factor, double shift, bool is_flipped, Random& random) {
  SideMove move{factor, (1 - factor) * random.uniform() + shift};
  if (is_flipped) move = {-move.factor, 1 - move.offset};
  return move;
}

void alter_image_with_boxes(const Picture& picture, std::span<LabelledBox> boxes,
                            const Augmentation& how, int epoch, Random& always, Random& now) {
  const bool flipped = is_flipped(how, epoch, always, now);
  const auto shift = [&](int size) {
    return static_cast<double>(between(now, -how.crop, how.crop)) / size;
  };
  const double down = shift(picture.height), right = shift(picture.width);
  const double factor = 1 + how.zoom * (2 * now.uniform() - 1);
  const SideMove across = drawn_move(factor, right, flipped, now);
  const SideMove along = drawn_move(factor, down, false, now);
  move(picture, across, along);
  move_boxes(boxes, across, along);
  if (how.cutout > 0) cut_out(picture, how.cutout, now);
  if (how.colour > 0) recolour(picture, how.colour, now);
}

/// Normal numbers, a run of which is noise: to draw each anew would cost as much as the step.
class NoisePool {
 public:
  static const NoisePool& get() {
    static const NoisePool kPool;
    return kPool;
  }

  /// Adds a run of them that begins anywhere.
  void add(std::span<float> values, float deviation, Random& random) const {
    std::size_t place = random.below(pool_.size());
    while (!values.empty()) {
      const std::size_t count = std::min(values.size(), pool_.size() - place);
      for (std::size_t i = 0; i < count; ++i) values[i] += deviation * pool_[place + i];
      values = values.subspan(count);
      place = 0;
    }
  }

 private:
  NoisePool() : pool_(std::size_t{1} << 16) { Random::stream(0, {"noise"}).fill_normal(pool_, 1); }

  std::vector<float> pool_;
};

/// Sensors are the channels where time runs along the width, else the columns.
void alter_series(const Picture& picture, const Augmentation& how, Random& now) {
  const bool is_time_wide = picture.height == 1;
  const int time = is_time_wide ? picture.width : picture.height;
  const int sensors = is_time_wide ? picture.channels : picture.width;
  if (const int shift = between(now, -how.time_shift, how.time_shift); shift != 0) {
    const auto from = sources(time, shift, false);
    if (is_time_wide) {
      move(picture, sources(1, 0, false), from);
    } else {
      move(picture, from, sources(picture.width, 0, false));
    }
  }
  std::vector<float> factors(at(sensors));
  for (float& factor : factors) factor = static_cast<float>(1 + how.scale * now.normal());
  for (int channel = 0; channel < picture.channels; ++channel)
    for (int y = 0; y < picture.height; ++y) {
      float* const row = picture.row(channel, y);
      for (int x = 0; x < picture.width; ++x) row[x] *= factors[at(is_time_wide ? channel : x)];
    }
  if (how.noise > 0)
    NoisePool::get().add(
        {picture.row(0, 0), at(picture.channels) * at(picture.height) * at(picture.width)},
        static_cast<float>(how.noise), now);
}

}  // namespace

void augment(Samples& samples, Medium medium, const Augmentation& how, std::uint64_t seed,
             int epoch, std::span<const std::int64_t> places) {
  at::Tensor& images = samples.images;
  images = images.contiguous();
  const bool has_boxes = samples.labels.dim() == 3;
  const auto size = [&](std::int64_t dimension) {
    return static_cast<int>(images.size(dimension));
  };
  const std::int64_t elements = images.numel() / images.size(0);
  const std::string number = std::to_string(epoch);
  for (std::size_t i = 0; i < places.size(); ++i) {
    const Picture picture{images.data_ptr<float>() + static_cast<std::int64_t>(i) * elements,
                          size(1), size(2), size(3)};
    const std::string place = std::to_string(places[i]);
    Random always = Random::stream(seed, {"augment", place});
    Random now = Random::stream(seed, {"augment", place, number});
    if (has_boxes) {
      alter_image_with_boxes(picture, boxes_of(samples.labels, static_cast<std::int64_t>(i)), how,
                             epoch, always, now);
    } else if (medium == Medium::images) {
      alter_image(picture, how, epoch, always, now);
    } else {
      alter_series(picture, how, now);
    }
  }
}

}  // namespace thimble
