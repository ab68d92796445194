#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <thimble/deploy/lower.hpp>
#include <thimble/graph/graph.hpp>

namespace onnx {
class ModelProto;
class NodeProto;
}  // namespace onnx

namespace thimble {

/// How a window moves over an image.
struct OnnxWindow {
  Shape in;
  Shape out;
  Extent size;
  Extent stride;
  Extent padding{0, 0};  ///< above and left
};

/// An ONNX model being written, one operator after the other; tensors go by name. A tensor is an
/// image, N x C x H x W, or flat, N x C; what needs the other kind has it reshaped.
/// Every operator is given the name of what it computes, `y`, first.
class OnnxWriter {
 public:
  using Names = std::vector<std::string>;
  using Sizes = std::vector<std::int64_t>;

  explicit OnnxWriter(const std::string& name);
  ~OnnxWriter();
  OnnxWriter(const OnnxWriter&) = delete;
  OnnxWriter& operator=(const OnnxWriter&) = delete;

  void input(const std::string& name, const Shape& shape);
  void output(const std::string& name, const Shape& shape);

  /// Return `name`. Without sizes: a scalar.
  std::string constant(const std::string& name, const Sizes& sizes, std::span<const float> values);
  std::string constant(const std::string& name, const Sizes& sizes,
                       std::span<const std::int8_t> values);
  std::string constant(const std::string& name, const Sizes& sizes,
                       std::span<const std::int32_t> values);
  std::string constant(const std::string& name, const Sizes& sizes,
                       std::span<const std::int64_t> values);

  /// parameters: weights, out x in/groups x kh x kw, and a bias or none.
  void conv(const std::string& y, const std::string& x, const Names& parameters,
            const OnnxWindow& window, int groups);
  /// parameters: weights, out x in, and a bias or none.
  void linear(const std::string& y, const std::string& x, const Names& parameters);
  /// parameters: scale, shift, mean, variance with the epsilon in it.
  void batch_norm(const std::string& y, const std::string& x, const Names& parameters);
  /// Over the cells that are no padding.
  void avg_pool(const std::string& y, const std::string& x, const OnnxWindow& window);
  void max_pool(const std::string& y, const std::string& x, const OnnxWindow& window);
  /// Over height and width.
  void mean(const std::string& y, const std::string& x);
  /// Clamps to a range, of which either end may be infinite: Relu or Clip.
  void clamp(const std::string& y, const std::string& x, const Range& range);
  void add(const std::string& y, const Names& terms);
  void concat(const std::string& y, const Names& parts);
  void softmax(const std::string& y, const std::string& x);
  /// inputs: what is quantised or was, scale, zero point or none. Several scales go along the first
  /// axis.
  void quantise(const std::string& y, const Names& inputs);
  void dequantise(const std::string& y, const Names& inputs);

  bool is_flat(const std::string& x) const { return flat_.contains(x); }
  /// A tensor as N x C: itself, or a new one.
  std::string flat(const std::string& x);

  std::string bytes() const;

 private:
  onnx::NodeProto& node(const std::string& op, const std::string& y, const Names& inputs);
  onnx::NodeProto& windowed(const std::string& op, const std::string& y, const Names& inputs,
                            const OnnxWindow& window);
  std::string image(const std::string& x);
  Names images(const Names& all);
  void keep_flatness(const std::string& y, const std::string& x);

  std::unique_ptr<onnx::ModelProto> model_;
  std::set<std::string> flat_;
  std::set<std::string> images_;  ///< made of flat tensors
};

}  // namespace thimble
