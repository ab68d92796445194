#include <thimble/train/start_weights.hpp>

#include <utility>

#include <fmt/format.h>

#include <thimble/core/error.hpp>
#include <thimble/core/text.hpp>
#include <thimble/train/tensor_file.hpp>
#include <thimble/train/trained_network.hpp>

namespace thimble {
namespace {

std::string fingerprint_of(const std::map<std::string, at::Tensor>& tensors) {
  std::string all;
  for (const auto& [name, tensor] : tensors) {
    all += name + fmt::format("{}\n", fmt::join(tensor.sizes(), "x"));
    all.append(static_cast<const char*>(tensor.data_ptr()), tensor.nbytes());
  }
  return hex(fingerprint(all));
}

}  // namespace

StartWeights read_start_weights(const std::filesystem::path& file) {
  TensorFile content = read_tensors(file);
  if (content.tensors.empty())
    throw InputError{Diagnostic{{file.string()}, "no weights are in it", "name another file"}};
  StartWeights made{file.string(), std::move(content.tensors), content.about["arch"], {}};
  made.content = fingerprint_of(made.tensors);
  return made;
}

Taken take_weights(Network& network, const StartWeights& start) {
  Taken taken;
  for (auto& [name, tensor] : named_weights(network)) {
    ++taken.all;
    const auto found = start.tensors.find(name);
    if (found == start.tensors.end() || found->second.sizes() != tensor.sizes()) continue;
    if (!found->second.isfinite().all().item<bool>())
      throw Error{fmt::format("'{}' of '{}' has values that are not finite", name, start.file)};
    at::Tensor{tensor}.copy_(found->second);
    ++taken.weights;
  }
  if (taken.weights == 0)
    throw Error{fmt::format("nothing in '{}' has a name and a shape of this network", start.file)};
  return taken;
}

}  // namespace thimble
