// Boxes around things, from one map: the head of Redmon and Farhadi (YOLO9000, arXiv 1612.08242,
// and YOLOv3, arXiv 1804.02767) with anchors of the training boxes, sigmoids that reach beyond a
// cell, the loss of complete overlap (Zheng et al., arXiv 1911.08287), and average precision as
// COCO measures it (Lin et al., arXiv 1405.0312). Made from the papers' formulas.

#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <thimble/core/error.hpp>
#include <thimble/core/text.hpp>
#include <thimble/task.hpp>
#include <thimble/train/average_precision.hpp>
#include <thimble/train/box_loss.hpp>
#include <thimble/train/box_map.hpp>

namespace {

using thimble::BoxDecoder;

/// Of a box that counts in a measure; the higher ones are found all the same.
constexpr double kLeastMeasured = 0.001;

std::string per_cent(double share) { return thimble::number_text(std::round(1e4 * share) / 100); }

std::string rounded(double value) { return thimble::number_text(std::round(1e5 * value) / 1e5); }

class Detection final : public thimble::Task {
 public:
  struct Params {
    int anchors = 3;
    std::vector<double> sizes;
    double box = 1;
    double presence = 0.02;
    double label = 0.5;
    double prior = 0.01;
    double overlap = 0.5;
    double score = 0.25;

    template <class Describe>
    static void describe(Describe& param) {
      param(&Params::anchors, "anchors", "sizes that each cell of the map tells of").range(1, 16);
      param(&Params::sizes, "sizes",
            "width and height of each anchor, shares of the image; by default those that k-means "
            "finds in the training boxes");
      param(&Params::box, "box", "how much the places of boxes count in the loss").range(0, 1e3);
      param(&Params::presence, "presence",
            "how much each cell and anchor counts, in whether something is there")
          .range(0, 1e3);
      param(&Params::label, "label", "how much classes count, where there are several")
          .range(0, 1e3);
      param(&Params::prior, "prior", "how sure an output of 0 is that something is there")
          .range(1e-6, 0.999999);
      param(&Params::overlap, "overlap",
            "intersection over union at which a box gives way to a better one of its class")
          .range(0, 1);
      param(&Params::score, "score", "least score of a box that a board tells").range(0, 1);
    }
  };

  explicit Detection(Params params) : params_{std::move(params)} {
    decoder_.prior = std::log(params_.prior / (1 - params_.prior));
    decoder_.most_overlap = params_.overlap;
    decoder_.least_score = params_.score;
    if (!params_.sizes.empty()) take_sizes();
    // Until they are fitted to data: halves, from all of the image down.
    for (int i = params_.anchors; decoder_.anchors.empty() && i-- > 0;) add_halved(i);
  }

  int outputs(const thimble::DatasetInfo& data) const override {
    return params_.anchors * decoder_for(data).channels_of_anchor();
  }

  bool has_maps() const override { return true; }

  std::shared_ptr<const thimble::Task> fitted_to(const thimble::Dataset& data) const override {
    const thimble::DatasetInfo info = data.describe();
    auto fitted = std::make_shared<Detection>(params_);
    fitted->decoder_ = decoder_for(info);
    if (!params_.sizes.empty()) return fitted;
    const at::Tensor labels = data.boxes(thimble::Split::train).contiguous();
    std::vector<BoxDecoder::Anchor> sizes;
    for (std::int64_t i = 0; i < labels.size(0); ++i)
      for (const thimble::LabelledBox& box : thimble::boxes_of(labels, i))
        if (box.is_one_thing())
          sizes.push_back({static_cast<double>(box.width), static_cast<double>(box.height)});
    auto typical = thimble::typical_sizes(std::move(sizes), params_.anchors);
    if (std::ssize(typical) < params_.anchors)
      throw thimble::Error{"dataset '" + info.name + "' has boxes of " +
                               thimble::count_text(std::ssize(typical), "size") + ", fewer than " +
                               thimble::count_text(params_.anchors, "anchor"),
                           "take fewer anchors, or name 'sizes'"};
    fitted->decoder_.anchors = std::move(typical);
    return fitted;
  }

  thimble::Loss loss(const at::Tensor& outputs, const at::Tensor& labels,
                     std::span<const std::int64_t>) const override {
    const BoxDecoder decoder = decoder_of(outputs);
    thimble::require_boxes(labels, decoder.classes);
    return thimble::box_loss(as_maps(outputs), labels, decoder,
                             {params_.box, params_.presence, params_.label});
  }

  std::vector<std::string> metrics() const override { return {"map50", "map50_95"}; }

  /// In per cent.
  std::vector<double> measure(const at::Tensor& outputs, const at::Tensor& labels) const override {
    const int classes = decoder_of(outputs).classes;
    const auto images = images_of(outputs, labels);
    double sum = 0;
    constexpr int kOverlaps = 10;
    double first = 0;
    for (int i = 0; i < kOverlaps; ++i) {
      const double precision =
          thimble::mean_average_precision(images, classes, (50 + 5 * i) / 100.0);
      if (i == 0) first = precision;
      sum += precision;
    }
    return {100 * first, 100 * sum / kOverlaps};
  }

  std::vector<thimble::NamedTable> details(const at::Tensor& outputs, const at::Tensor& labels,
                                           const thimble::DatasetInfo& data) const override {
    const auto images = images_of(outputs, labels);
    thimble::Table curves{{"class", "score", "precision", "recall"}, {}};
    thimble::Table each{{"class", "boxes", "ap50"}, {}};
    for (int label = 0; label < data.classes; ++label) {
      const std::string name = name_of_class(data, label);
      const auto curve = thimble::precision_curve(images, label, 0.5);
      std::int64_t things = 0;
      for (const thimble::ImageBoxes& image : images)
        for (const thimble::LabelledBox& box : image.truths)
          things += box.is_one_thing() && static_cast<int>(box.label) == label ? 1 : 0;
      each.rows.push_back({name, std::to_string(things),
                           curve ? per_cent(thimble::average_precision(*curve)) : ""});
      if (!curve) continue;
      for (const thimble::CurvePoint& point : *curve)
        curves.rows.push_back(
            {name, rounded(point.score), per_cent(point.precision), per_cent(point.recall)});
    }
    return {{"precision_recall", curves}, {"classes", each}, {"boxes", table_of(images, data)}};
  }

  std::optional<BoxDecoder> box_decoder(const thimble::DatasetInfo& data) const override {
    return decoder_for(data);
  }

 private:
  void take_sizes() {
    if (std::ssize(params_.sizes) != 2 * std::int64_t{params_.anchors})
      throw thimble::Error{"'sizes' has " + std::to_string(params_.sizes.size()) +
                           " numbers, a width and a height for each of " +
                           thimble::count_text(params_.anchors, "anchor") + " are needed"};
    for (std::size_t i = 0; i < params_.sizes.size(); i += 2) {
      const auto [width, height] = std::pair{params_.sizes[i], params_.sizes[i + 1]};
      if (!(width > 0 && width <= 1 && height > 0 && height <= 1))
        throw thimble::Error{"'sizes' are shares of the image, above 0 and 1 at most"};
      decoder_.anchors.push_back({width, height});
    }
  }

  void add_halved(int times) {
    const double side = std::ldexp(0.75, -times);
    decoder_.anchors.push_back({side, side});
  }

  BoxDecoder decoder_for(const thimble::DatasetInfo& data) const {
    if (data.labels != thimble::LabelKind::boxes)
      throw thimble::Error{"dataset '" + data.name + "' has a class of each sample, no boxes",
                           "take a task for classes: task: {use: classification}"};
    BoxDecoder decoder = decoder_;
    decoder.classes = data.classes;
    return decoder;
  }

  /// For as many classes as the maps have channels for.
  BoxDecoder decoder_of(const at::Tensor& outputs) const {
    BoxDecoder decoder = decoder_;
    const std::int64_t own = outputs.size(1) / params_.anchors;
    if (own < 5 || own == 6 || own * params_.anchors != outputs.size(1))
      throw thimble::Error{"a map of " + std::to_string(outputs.size(1)) +
                           " channels tells of no boxes of " +
                           thimble::count_text(params_.anchors, "anchor")};
    decoder.classes = own == 5 ? 1 : static_cast<int>(own) - 5;
    return decoder;
  }

  /// A map of one pixel comes without height and width.
  static at::Tensor as_maps(const at::Tensor& outputs) {
    return outputs.dim() == 4 ? outputs : outputs.view({outputs.size(0), outputs.size(1), 1, 1});
  }

  std::vector<thimble::ImageBoxes> images_of(const at::Tensor& outputs,
                                             const at::Tensor& labels) const {
    const BoxDecoder decoder = decoder_of(outputs);
    thimble::require_boxes(labels, decoder.classes);
    const at::Tensor maps = as_maps(outputs).to(at::kDouble);
    std::vector<thimble::ImageBoxes> images;
    for (std::int64_t i = 0; i < maps.size(0); ++i) {
      const auto truths = thimble::boxes_of(labels, i);
      images.push_back(
          {thimble::boxes_in(maps[i], decoder, kLeastMeasured), {truths.begin(), truths.end()}});
    }
    return images;
  }

  static std::string name_of_class(const thimble::DatasetInfo& data, int label) {
    const auto place = static_cast<std::size_t>(label);
    return place < data.class_names.size() ? data.class_names[place] : std::to_string(label);
  }

  /// Those that a board would tell, image by image; score 1 and "truth" are those that are there.
  thimble::Table table_of(const std::vector<thimble::ImageBoxes>& images,
                          const thimble::DatasetInfo& data) const {
    thimble::Table table{{"image", "kind", "class", "score", "x", "y", "width", "height"}, {}};
    const auto add = [&](std::size_t image, const char* kind, int label, double score,
                         const thimble::Box& box) {
      table.rows.push_back({std::to_string(image), kind, name_of_class(data, label), rounded(score),
                            rounded(box.x), rounded(box.y), rounded(box.width),
                            rounded(box.height)});
    };
    for (std::size_t i = 0; i < images.size(); ++i) {
      for (const thimble::LabelledBox& box : images[i].truths)
        if (box.is_there())
          add(i, box.is_one_thing() ? "truth" : "crowd", static_cast<int>(box.label), 1,
              {static_cast<double>(box.x), static_cast<double>(box.y),
               static_cast<double>(box.width), static_cast<double>(box.height)});
      for (const thimble::ScoredBox& box : images[i].found)
        if (box.score >= params_.score) add(i, "found", box.label, box.score, box.box);
    }
    return table;
  }

  Params params_;
  BoxDecoder decoder_;
};

}  // namespace

THIMBLE_PLUGIN("detection", "1.0.0") {
  plugin.provides<Detection>(
      "boxes around things, of one map: complete overlap, mAP as COCO has it");
}
