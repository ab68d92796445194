#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <thimble/core/context.hpp>
#include <thimble/core/export.hpp>
#include <thimble/nn/boxes.hpp>
#include <thimble/nn/dataset.hpp>
#include <thimble/nn/image_store.hpp>
#include <thimble/nn/sample_table.hpp>

/// What datasets of images with boxes have in common: letterboxes, clipping and normalisation.
namespace thimble {

/// An image file and what is known to be in it.
struct BoxedImage {
  std::filesystem::path file;
  std::vector<LabelledBox> boxes{};  ///< in shares of the image's sides, as written
  bool is_test = false;
};

/// Boxes within their images: what reaches beyond is cut off. Those of no area, and what is left of
/// none, are left out, and counted.
struct ClippedBoxes {
  std::int64_t cut = 0;
  std::int64_t left_out = 0;
};
THIMBLE_EXPORT ClippedBoxes clip(std::vector<LabelledBox>& boxes);

/// Images with boxes, letterboxed, split and normalised channel by channel. const is thread safe.
class THIMBLE_EXPORT BoxTable {
 public:
  /// `info` has name, shape, classes and perhaps a remark; boxes are of classes below its number.
  /// `folder` is what InputErrors name where no file is to blame.
  BoxTable(DatasetInfo info, std::vector<BoxedImage> images, const Scaling& scaling,
           const std::filesystem::path& folder, const Context& context);

  const DatasetInfo& describe() const noexcept { return info_; }
  Samples batch(Split split, std::span<const std::int64_t> indices) const;
  at::Tensor boxes(Split split) const;
  /// Of bytes and boxes.
  std::uint64_t fingerprint() const;

 private:
  void take_boxes(std::vector<BoxedImage>& images, const std::filesystem::path& folder);
  const at::Tensor& boxes_in(Split split) const {
    return split == Split::train ? train_boxes_ : test_boxes_;
  }

  DatasetInfo info_;
  std::unique_ptr<ImageStore> images_;
  std::optional<SampleTable> table_;  ///< of the images alone
  at::Tensor train_boxes_;            ///< samples x rows x 6
  at::Tensor test_boxes_;
};

/// A dataset whose samples are those of such a table.
class THIMBLE_EXPORT BoxTableDataset : public Dataset {
 public:
  DatasetInfo describe() const final { return table().describe(); }
  Samples batch(Split split, std::span<const std::int64_t> indices) const final {
    return table().batch(split, indices);
  }
  at::Tensor boxes(Split split) const final { return table().boxes(split); }
  std::uint64_t fingerprint() const final { return table().fingerprint(); }

 private:
  virtual const BoxTable& table() const = 0;
};

/// How images with boxes are read, whatever their labels look like.
struct BoxImageParams {
  int height = 128;
  int width = 128;
  int channels = 3;
  bool empty_images = true;
  Scaling scaling;

  Shape shape() const { return {channels, height, width}; }

  template <class Describe>
  static void describe(Describe& param) {
    param(&BoxImageParams::height, "height", "of the frame that images are letterboxed into")
        .range(1, 4096);
    param(&BoxImageParams::width, "width", "likewise").range(1, 4096);
    param(&BoxImageParams::channels, "channels", "3: red, green and blue; 1: brightness alone")
        .range(1, 3);
    param(&BoxImageParams::empty_images, "empty_images",
          "keep images that have no box of these classes");
    param.include(&BoxImageParams::scaling, {"scale", "offset"});
  }
};

/// One sentence of a remark behind another.
THIMBLE_EXPORT void say_also(std::string& remark, const std::string& more);

/// Takes out images without any box, where they are not wanted, and says so in `remark`.
THIMBLE_EXPORT void drop_empty(std::vector<BoxedImage>& images, std::string& remark);

/// Draws which images are for testing: a share, the same for the same seed.
THIMBLE_EXPORT void draw_test(std::vector<BoxedImage>& images, double share, std::int64_t seed);

}  // namespace thimble
