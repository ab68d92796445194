// The one file that knows ONNX's data structures.
#include "onnx_writer.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>

#include <onnx/defs/attr_proto_util.h>
#include <onnx/onnx_pb.h>

namespace thimble {
namespace {

constexpr int kOpset = 13;
constexpr int kIrVersion = 7;  // of the release that brought the opset

void set(onnx::NodeProto& node, const char* name, std::int64_t value) {
  *node.add_attribute() = onnx::MakeAttribute(name, value);
}

void set(onnx::NodeProto& node, const char* name, const std::vector<std::int64_t>& values) {
  *node.add_attribute() = onnx::MakeAttribute(name, values);
}

template <class T>
std::string append_constant(onnx::ModelProto& model, onnx::TensorProto::DataType type,
                            const std::string& name, const OnnxWriter::Sizes& sizes,
                            std::span<const T> values) {
  static_assert(std::endian::native == std::endian::little, "raw data is little endian");
  onnx::TensorProto& made = *model.mutable_graph()->add_initializer();
  made.set_name(name);
  made.set_data_type(type);
  for (const std::int64_t size : sizes) made.add_dims(size);
  made.set_raw_data(values.data(), values.size_bytes());
  return name;
}

void describe(onnx::ValueInfoProto& value, const std::string& name, const Shape& shape,
              bool is_flat) {
  value.set_name(name);
  auto& type = *value.mutable_type()->mutable_tensor_type();
  type.set_elem_type(onnx::TensorProto::FLOAT);
  type.mutable_shape()->add_dim()->set_dim_param("N");
  type.mutable_shape()->add_dim()->set_dim_value(shape.channels);
  if (is_flat) return;
  type.mutable_shape()->add_dim()->set_dim_value(shape.height);
  type.mutable_shape()->add_dim()->set_dim_value(shape.width);
}

/// Below or right: as much as above or left where the sizes agree with that, as most converters
/// want it, else as much as is needed.
int padding_after(int in, int out, int window, int stride, int before) {
  const int needed = (out - 1) * stride + window - in - before;
  return needed <= before && before < needed + stride ? before : std::max(needed, 0);
}

}  // namespace

OnnxWriter::OnnxWriter(const std::string& name) : model_{std::make_unique<onnx::ModelProto>()} {
  model_->set_ir_version(kIrVersion);
  model_->set_producer_name("thimble");
  model_->set_producer_version(THIMBLE_VERSION);
  model_->add_opset_import()->set_version(kOpset);
  model_->mutable_graph()->set_name(name);
}

OnnxWriter::~OnnxWriter() = default;

void OnnxWriter::input(const std::string& name, const Shape& shape) {
  describe(*model_->mutable_graph()->add_input(), name, shape, false);
}

void OnnxWriter::output(const std::string& name, const Shape& shape) {
  describe(*model_->mutable_graph()->add_output(), name, shape, is_flat(name));
}

std::string OnnxWriter::constant(const std::string& name, const Sizes& sizes,
                                 std::span<const float> values) {
  return append_constant(*model_, onnx::TensorProto::FLOAT, name, sizes, values);
}

std::string OnnxWriter::constant(const std::string& name, const Sizes& sizes,
                                 std::span<const std::int8_t> values) {
  return append_constant(*model_, onnx::TensorProto::INT8, name, sizes, values);
}

std::string OnnxWriter::constant(const std::string& name, const Sizes& sizes,
                                 std::span<const std::int32_t> values) {
  return append_constant(*model_, onnx::TensorProto::INT32, name, sizes, values);
}

std::string OnnxWriter::constant(const std::string& name, const Sizes& sizes,
                                 std::span<const std::int64_t> values) {
  return append_constant(*model_, onnx::TensorProto::INT64, name, sizes, values);
}

void OnnxWriter::conv(const std::string& y, const std::string& x, const Names& parameters,
                      const OnnxWindow& window, int groups) {
  Names inputs{image(x)};
  inputs.insert(inputs.end(), parameters.begin(), parameters.end());
  set(windowed("Conv", y, inputs, window), "group", groups);
}

void OnnxWriter::linear(const std::string& y, const std::string& x, const Names& parameters) {
  Names inputs{flat(x)};
  inputs.insert(inputs.end(), parameters.begin(), parameters.end());
  set(node("Gemm", y, inputs), "transB", 1);
  flat_.insert(y);
}

void OnnxWriter::batch_norm(const std::string& y, const std::string& x, const Names& parameters) {
  Names inputs{image(x)};
  inputs.insert(inputs.end(), parameters.begin(), parameters.end());
  *node("BatchNormalization", y, inputs).add_attribute() = onnx::MakeAttribute("epsilon", 0.0F);
}

void OnnxWriter::avg_pool(const std::string& y, const std::string& x, const OnnxWindow& window) {
  set(windowed("AveragePool", y, {image(x)}, window), "count_include_pad", 0);
}

void OnnxWriter::max_pool(const std::string& y, const std::string& x, const OnnxWindow& window) {
  windowed("MaxPool", y, {image(x)}, window);
}

void OnnxWriter::mean(const std::string& y, const std::string& x) {
  node("GlobalAveragePool", y, {image(x)});
}

void OnnxWriter::clamp(const std::string& y, const std::string& x, const Range& range) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const auto bound = [&](const char* what, float value) {
    return constant(y + what, {}, std::span<const float>{&value, 1});
  };
  if (range.lowest == 0 && range.highest == kInfinity) {
    node("Relu", y, {x});
  } else {
    Names inputs{x, range.lowest == -kInfinity ? "" : bound("_min", range.lowest)};
    if (range.highest != kInfinity) inputs.push_back(bound("_max", range.highest));
    node("Clip", y, inputs);
  }
  keep_flatness(y, x);
}

void OnnxWriter::add(const std::string& y, const Names& terms) {
  node(terms.size() == 2 ? "Add" : "Sum", y, images(terms));
}

void OnnxWriter::concat(const std::string& y, const Names& parts) {
  set(node("Concat", y, images(parts)), "axis", 1);
}

void OnnxWriter::softmax(const std::string& y, const std::string& x) {
  set(node("Softmax", y, {flat(x)}), "axis", 1);
  flat_.insert(y);
}

void OnnxWriter::quantise(const std::string& y, const Names& inputs) {
  set(node("QuantizeLinear", y, inputs), "axis", 0);
  keep_flatness(y, inputs[0]);
}

void OnnxWriter::dequantise(const std::string& y, const Names& inputs) {
  set(node("DequantizeLinear", y, inputs), "axis", 0);
  keep_flatness(y, inputs[0]);
}

std::string OnnxWriter::flat(const std::string& x) {
  if (is_flat(x)) return x;
  std::string y = x + "_flat";
  if (flat_.insert(y).second) set(node("Flatten", y, {x}), "axis", 1);
  return y;
}

std::string OnnxWriter::image(const std::string& x) {
  if (!is_flat(x)) return x;
  std::string y = x + "_image";
  constexpr std::array<std::int64_t, 2> kAxes{2, 3};
  if (images_.insert(y).second) node("Unsqueeze", y, {x, constant(y + "_axes", {2}, kAxes)});
  return y;
}

OnnxWriter::Names OnnxWriter::images(const Names& all) {
  Names made;
  for (const std::string& x : all) made.push_back(image(x));
  return made;
}

void OnnxWriter::keep_flatness(const std::string& y, const std::string& x) {
  if (is_flat(x)) flat_.insert(y);
}

std::string OnnxWriter::bytes() const { return model_->SerializeAsString(); }

onnx::NodeProto& OnnxWriter::node(const std::string& op, const std::string& y,
                                  const Names& inputs) {
  onnx::NodeProto& made = *model_->mutable_graph()->add_node();
  made.set_op_type(op);
  made.set_name(y);
  made.add_output(y);
  for (const std::string& input : inputs) made.add_input(input);
  return made;
}

onnx::NodeProto& OnnxWriter::windowed(const std::string& op, const std::string& y,
                                      const Names& inputs, const OnnxWindow& window) {
  const auto& [in, out, size, stride, padding] = window;
  onnx::NodeProto& made = node(op, y, inputs);
  set(made, "kernel_shape", {size.height, size.width});
  set(made, "strides", {stride.height, stride.width});
  set(made, "pads",
      {padding.height, padding.width,
       padding_after(in.height, out.height, size.height, stride.height, padding.height),
       padding_after(in.width, out.width, size.width, stride.width, padding.width)});
  return made;
}

}  // namespace thimble
