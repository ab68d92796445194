#include <thimble/nn/box_table.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include <thimble/core/error.hpp>
#include <thimble/core/index.hpp>
#include <thimble/core/random.hpp>
#include <thimble/core/text.hpp>
#include <thimble/nn/image_file.hpp>
#include <thimble/nn/propagation/tensor.hpp>

namespace thimble {
namespace {

/// All rows of some images, as many for each as the fullest has.
at::Tensor rows_of(const std::vector<const BoxedImage*>& images, std::int64_t rows) {
  at::Tensor made = at::zeros({std::ssize(images), rows, kBoxColumns});
  for (std::int64_t i = 0; i < made.size(0); ++i) {
    const auto into = boxes_of(made, i);
    std::ranges::fill(into, LabelledBox{});
    std::ranges::copy(images[at(i)]->boxes, into.begin());
  }
  return made;
}

}  // namespace

void say_also(std::string& remark, const std::string& more) {
  remark += (remark.empty() ? "" : "; ") + more;
}

ClippedBoxes clip(std::vector<LabelledBox>& boxes) {
  ClippedBoxes found;
  for (LabelledBox& box : boxes) {
    const auto cut = [&](float& centre, float& extent) {
      const float begin = std::clamp(centre - extent / 2, 0.0F, 1.0F);
      const float end = std::clamp(centre + extent / 2, 0.0F, 1.0F);
      constexpr float kRounding = 1e-4F;  // of files that write a few digits
      const bool is_cut = end - begin < extent - kRounding;
      centre = (begin + end) / 2;
      extent = end - begin;
      return is_cut;
    };
    const bool is_cut = cut(box.x, box.width) | cut(box.y, box.height);
    if (is_cut && box.width > 0 && box.height > 0) ++found.cut;
  }
  found.left_out = static_cast<std::int64_t>(std::erase_if(
      boxes, [](const LabelledBox& box) { return !(box.width > 0 && box.height > 0); }));
  return found;
}

BoxTable::BoxTable(DatasetInfo info, std::vector<BoxedImage> images, const Scaling& scaling,
                   const std::filesystem::path& folder, const Context& context)
    : info_{std::move(info)} {
  info_.labels = LabelKind::boxes;
  if (info_.shape.channels == 2)
    throw InputError{"images have 3 channels, or 1: brightness", "take channels: 3"};
  std::vector<std::filesystem::path> files;
  SampleList list;
  for (const BoxedImage& image : images) {
    files.push_back(image.file);
    list.labels.push_back(0);
    list.is_test.push_back(image.is_test);
  }
  images_ = std::make_unique<ImageStore>(files, info_.shape, ImageFit::letterbox, folder, context);
  take_boxes(images, folder);
  DatasetInfo plain = info_;
  plain.classes = 1;
  plain.class_names.clear();
  const ImageStore* const store = images_.get();
  table_.emplace(
      plain, std::move(list), SplitRule{}, Layout::channels, scaling,
      [store](std::int64_t sample, std::span<float> to) { store->read(sample, to); },
      folder.string());
  require_class_names(info_.class_names, folder.string());
  info_.remark = table_->describe().remark;
  info_.train_samples = table_->describe().train_samples;
  info_.test_samples = table_->describe().test_samples;
}

void BoxTable::take_boxes(std::vector<BoxedImage>& images, const std::filesystem::path& folder) {
  ClippedBoxes all;
  std::size_t rows = 1;
  std::vector<const BoxedImage*> train, test;
  for (std::size_t i = 0; i < images.size(); ++i) {
    std::vector<LabelledBox>& boxes = images[i].boxes;
    const ClippedBoxes found = clip(boxes);
    all.cut += found.cut;
    all.left_out += found.left_out;
    const Extent sides = images_->original(static_cast<std::int64_t>(i));
    move_boxes(boxes, across_letterbox(sides, info_.shape), down_letterbox(sides, info_.shape));
    rows = std::max(rows, boxes.size());
    (images[i].is_test ? test : train).push_back(&images[i]);
  }
  train_boxes_ = rows_of(train, static_cast<std::int64_t>(rows));
  test_boxes_ = rows_of(test, static_cast<std::int64_t>(rows));
  const auto have_none = std::ranges::count_if(train, [](const BoxedImage* image) {
    return std::ranges::none_of(image->boxes, &LabelledBox::is_one_thing);
  });
  if (!train.empty() && have_none == std::ssize(train))
    throw InputError{
        Diagnostic{{folder.string()},
                   "no image to learn from has a box of these classes",
                   "are labels where they are looked for, and classes named as there?"}};
  if (have_none > 0)
    say_also(info_.remark, fmt::format("{} of {} to learn from have no box", have_none,
                                       count_text(std::ssize(train), "image")));
  if (all.cut > 0)
    say_also(info_.remark, fmt::format("{} cut off at the border", count_text(all.cut, "box")));
  if (all.left_out > 0)
    say_also(info_.remark,
             fmt::format("{} of no area in the image left out", count_text(all.left_out, "box")));
}

Samples BoxTable::batch(Split split, std::span<const std::int64_t> indices) const {
  Samples samples = table_->batch(split, indices);  // which refuses those that are not there
  samples.labels = boxes_in(split).index_select(
      0, at::tensor(at::ArrayRef<std::int64_t>{indices.data(), indices.size()}));
  return samples;
}

at::Tensor BoxTable::boxes(Split split) const { return boxes_in(split).clone(); }

std::uint64_t BoxTable::fingerprint() const {
  std::uint64_t made = images_->fingerprint();
  for (const at::Tensor& boxes : {train_boxes_, test_boxes_})
    made = fingerprint_of_data(std::as_bytes(std::span{boxes.data_ptr<float>(), at(boxes.numel())}),
                               made);
  for (const std::string& name : info_.class_names)
    made = fingerprint_of_data(std::as_bytes(std::span{name}), made);
  return made;
}

void drop_empty(std::vector<BoxedImage>& images, std::string& remark) {
  const auto dropped = std::erase_if(images, [](const BoxedImage& image) {
    return std::ranges::none_of(image.boxes, &LabelledBox::is_one_thing);
  });
  if (dropped > 0)
    say_also(remark, fmt::format("{} without a box left out",
                                 count_text(static_cast<std::int64_t>(dropped), "image")));
}

void draw_test(std::vector<BoxedImage>& images, double share, std::int64_t seed) {
  const auto count = std::ssize(images);
  const auto wanted = std::llround(share * static_cast<double>(count));
  Random random = Random::stream(static_cast<std::uint64_t>(seed), {"test"});
  for (const std::int64_t place : random.sample(count, wanted)) images[at(place)].is_test = true;
}

}  // namespace thimble
