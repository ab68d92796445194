#pragma once

#include <string>

#include <thimble/core/export.hpp>
#include <thimble/deploy/int8_network.hpp>
#include <thimble/deploy/lower.hpp>

/// Networks as ONNX models, for other runtimes and converters: operators of opset 13 alone, IR
/// version 7. A model has one input, "input", N x C x H x W in float, N any number of samples, and
/// one output, "output": N x C behind a fully connected layer or softmax, else N x C x H x W.
namespace thimble {

/// The network in float, as it is deployed (dead ends gone, equal nodes merged) but with its batch
/// norms. Returns the file's bytes. Throws Error when a choice is open. Thread safe.
THIMBLE_EXPORT std::string onnx_of(const FloatNetwork& network);

/// The int8 network as floating-point operators between QuantizeLinear and DequantizeLinear
/// ("QDQ"), with int8 weights and int32 biases. Of the tensor NAME, the model calls the operator's
/// result NAME, its int8 form NAME_quantized and the float made of that NAME_dequantized. A clamp
/// that the range of int8 already implies is left out, as a ReLU's mostly is. Input and output are
/// float, as converters expect; the first and last node have their quantisations. Returns the
/// file's bytes. Thread safe.
THIMBLE_EXPORT std::string onnx_of(const Int8Network& network);

}  // namespace thimble
