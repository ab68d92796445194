#include <thimble/nn/input_source.hpp>

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include <thimble/core/error.hpp>
#include <thimble/core/random.hpp>
#include <thimble/nn/boxes.hpp>
#include <thimble/nn/propagation/tensor.hpp>

namespace thimble {
namespace {

int between(Random& random, int least, int most) {
  return least + static_cast<int>(random.below(static_cast<std::uint64_t>(most - least) + 1));
}

/// A sample on its way into a network: an image, C x H x W, and its boxes, if that is what it has.
struct Sample {
  at::Tensor image;
  std::span<LabelledBox> boxes;
};

/// The part of an image that starts at (top, left); what lies outside is zero.
at::Tensor window(const Sample& sample, int top, int left, const Shape& size) {
  const at::Tensor& image = sample.image;
  const auto move = [](int from, std::int64_t before, int after) {
    return SideMove{static_cast<double>(before) / after, -static_cast<double>(from) / after};
  };
  move_boxes(sample.boxes, move(left, image.size(2), size.width),
             move(top, image.size(1), size.height));
  const auto height = static_cast<int>(image.size(1));
  const auto width = static_cast<int>(image.size(2));
  const int first_row = std::max(0, -top), last_row = std::min(size.height, height - top);
  const int first_column = std::max(0, -left), last_column = std::min(size.width, width - left);
  at::Tensor out = at::zeros({image.size(0), size.height, size.width}, image.options());
  out.slice(1, first_row, last_row)
      .slice(2, first_column, last_column)
      .copy_(image.slice(1, first_row + top, last_row + top)
                 .slice(2, first_column + left, last_column + left));
  return out;
}

at::Tensor some_channels(const at::Tensor& image, const Shape& input, bool at_random,
                         Random& random) {
  const std::int64_t channels = image.size(0);
  if (channels == input.channels) return image;
  std::vector<std::int64_t> chosen(static_cast<std::size_t>(input.channels));
  for (std::size_t i = 0; i < chosen.size(); ++i) chosen[i] = static_cast<std::int64_t>(i);
  if (at_random) chosen = random.sample(channels, input.channels);
  return image.index_select(0, at::tensor(chosen, at::kLong));
}

at::Tensor fitted(const Sample& sample, const Pass& pass, const Shape& input, Random& random) {
  const at::Tensor& image = sample.image;
  const auto height = static_cast<int>(image.size(1));
  const auto width = static_cast<int>(image.size(2));
  if (pass.fit == Fit::crop) {
    const int spare_rows = height - input.height, spare_columns = width - input.width;
    const int top = pass.augment ? between(random, 0, spare_rows) : spare_rows / 2;
    const int left = pass.augment ? between(random, 0, spare_columns) : spare_columns / 2;
    return window(sample, top, left, input);
  }
  at::Tensor sized = image;
  if (height != input.height || width != input.width) {
    const bool shrinks = input.height <= height && input.width <= width;
    const at::Tensor one = image.unsqueeze(0);
    sized = (shrinks ? at::adaptive_avg_pool2d(one, {input.height, input.width})
                     : at::upsample_bilinear2d(one, {input.height, input.width}, false))
                .squeeze(0);
  }
  if (!pass.augment) return sized;
  const int rows = input.height / 8, columns = input.width / 8;
  const int top = between(random, -rows, rows), left = between(random, -columns, columns);
  return window({sized, sample.boxes}, top, left, input);
}

Samples batch_of_data(const Dataset& dataset, const DatasetInfo& info, const Pass& pass,
                      const Shape& input, std::span<const std::int64_t> indices, Random& random) {
  Samples samples = dataset.batch(Split::train, indices);
  if (!pass.augment && info.shape == input) return samples;
  std::vector<at::Tensor> images;
  images.reserve(indices.size());
  for (std::int64_t i = 0; i < samples.images.size(0); ++i) {
    at::Tensor image = samples.images[i];
    std::span<LabelledBox> boxes;
    if (info.labels == LabelKind::boxes) boxes = boxes_of(samples.labels, i);
    if (pass.augment && random.below(2) == 1) {
      image = image.flip({2});
      move_boxes(boxes, {-1, 1}, {});
    }
    image = some_channels(image, input, pass.augment, random);
    images.push_back(fitted({image, boxes}, pass, input, random));
  }
  samples.images = at::stack(images);
  return samples;
}

/// One thing in each sample, anywhere.
at::Tensor drawn_boxes(std::int64_t samples, int classes, Random& random) {
  at::Tensor labels = at::zeros({samples, 1, kBoxColumns});
  for (std::int64_t i = 0; i < samples; ++i) {
    LabelledBox& box = boxes_of(labels, i)[0];
    box.label = static_cast<float>(random.below(static_cast<std::uint64_t>(classes)));
    const auto share = [&] { return static_cast<float>(random.uniform()); };
    box.width = 0.1F + 0.5F * share();
    box.height = 0.1F + 0.5F * share();
    box.x = box.width / 2 + (1 - box.width) * share();
    box.y = box.height / 2 + (1 - box.height) * share();
  }
  return labels;
}

Samples batch_without_data(const DatasetInfo& info, const Pass& pass, const Shape& input,
                           Random& random) {
  const std::vector<std::int64_t> sizes{pass.batch, input.channels, input.height, input.width};
  Samples samples{at::ones(sizes), at::empty({pass.batch}, at::kLong)};
  if (pass.input == InputKind::normal) {
    auto* const data = samples.images.data_ptr<float>();
    random.fill_normal({data, static_cast<std::size_t>(samples.images.numel())}, 1.0);
  }
  if (info.labels == LabelKind::boxes) {
    samples.labels = drawn_boxes(pass.batch, info.classes, random);
    return samples;
  }
  for (std::int64_t i = 0; i < pass.batch; ++i)
    samples.labels[i] =
        static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(info.classes)));
  return samples;
}

}  // namespace

void require_fit(const DatasetInfo& info, const Pass& pass, const Shape& input) {
  const std::int64_t wanted = std::int64_t{pass.batch} * pass.batches;
  if (pass.input != InputKind::data) return;
  if (wanted > info.train_samples)
    throw Error{fmt::format("a pass wants {} different samples, dataset '{}' has {}", wanted,
                            info.name, info.train_samples)};
  const bool too_small =
      pass.fit == Fit::crop && (info.shape.height < input.height || info.shape.width < input.width);
  if (info.shape.channels < input.channels || too_small)
    throw Error{fmt::format("a network with the input {} cannot read dataset '{}' of {}",
                            to_string(input), info.name, to_string(info.shape))};
}

std::vector<Samples> draw_batches(const Dataset& dataset, const Pass& pass, const Shape& input,
                                  int repeat, std::uint64_t seed) {
  const at::NoGradGuard no_grad;  // grad mode is per thread
  const DatasetInfo info = dataset.describe();
  require_fit(info, pass, input);
  const std::string input_name = std::to_string(static_cast<int>(pass.input));
  const std::string repeat_name = std::to_string(repeat);
  std::vector<std::int64_t> order;
  if (pass.input == InputKind::data)
    order = Random::stream(seed, {"order", repeat_name})
                .sample(info.train_samples, std::int64_t{pass.batch} * pass.batches);
  const auto size = static_cast<std::size_t>(pass.batch);
  std::vector<Samples> batches;
  for (std::size_t i = 0; i < static_cast<std::size_t>(pass.batches); ++i) {
    Random random = Random::stream(seed, {"batch", input_name, repeat_name, std::to_string(i)});
    Samples samples = pass.input == InputKind::data
                          ? batch_of_data(dataset, info, pass, input,
                                          std::span{order}.subspan(i * size, size), random)
                          : batch_without_data(info, pass, input, random);
    if (pass.double_precision) samples.images = samples.images.to(at::kDouble);
    batches.push_back(std::move(samples));
  }
  return batches;
}

}  // namespace thimble
