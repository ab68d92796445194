#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/core/params.hpp>
#include <thimble/nn/propagation/network.hpp>

namespace thimble {

/// What a network is fed with.
enum class InputKind {
  data,    ///< training images of the experiment's dataset
  normal,  ///< N(0, 1)
  ones,
};
THIMBLE_EXPORT const std::vector<std::pair<std::string, InputKind>>& names_of(InputKind);

/// How samples are brought to the network's input size.
enum class Fit {
  resize,  ///< area mean when smaller, bilinear when larger
  crop,    ///< a window, at random when augmenting, else the middle
};
THIMBLE_EXPORT const std::vector<std::pair<std::string, Fit>>& names_of(Fit);

/// What a network's batch norm does.
enum class BatchNorm {
  batch,  ///< normalises with the batch's own statistics
  off,    ///< is left out of the network
};
THIMBLE_EXPORT const std::vector<std::pair<std::string, BatchNorm>>& names_of(BatchNorm);

/// The named conditions under which a network is looked at; the same for every proxy, so that
/// proxies that name equal conditions share the work, even where one looks at more batches or
/// repeats than another. A proxy includes it in its Params, sets its own defaults in their
/// constructor, and keeps to itself what its formula fixes: param.include(&Params::pass,
/// {"input"}).
struct Pass {
  /// The network: a profile of the search space ("full", or what the space offers, such as
  /// "narrow"), or a map of the search space's parameters that differ.
  Value net = Value::scalar("full");
  Init init = Init::torch_default;
  InputKind input = InputKind::data;
  int batch = 64;
  int batches = 1;
  int repeats = 1;
  bool fresh_weights = true;
  bool paired = true;
  bool augment = true;
  Fit fit = Fit::resize;
  BatchNorm batch_norm = BatchNorm::batch;
  bool dead_ends = false;
  bool double_precision = false;

  template <class Describe>
  static void describe(Describe& param) {
    param(&Pass::net, "net",
          "network to look at: a profile of the search space, or a map of its parameters");
    param(&Pass::init, "init", "how weights are drawn");
    param(&Pass::input, "input", "what the network is fed with");
    param(&Pass::batch, "batch", "samples in a batch").range(1, 65536);
    param(&Pass::batches, "batches", "batches a score looks at, under the same weights")
        .range(1, 64);
    param(&Pass::repeats, "repeats", "scores to draw, each with its own batches").range(1, 1024);
    param(&Pass::fresh_weights, "fresh_weights", "draw new weights for every repeat");
    param(&Pass::paired, "paired",
          "give all candidates the same weights and batches; false: each has draws of its own");
    param(&Pass::augment, "augment", "flip and crop training images at random");
    param(&Pass::fit, "fit", "how images are brought to the network's input size");
    param(&Pass::batch_norm, "batch_norm",
          "batch: by the statistics of the batch; off: without batch norm");
    param(&Pass::dead_ends, "dead_ends", "keep operators that do not reach the output");
    param(&Pass::double_precision, "double_precision", "compute in double instead of float");
  }
};
extern template THIMBLE_EXPORT Schema schema_of(Pass&);  // once, not in every proxy

/// What a proxy reads of a pass. Telling lets it be computed once, beside what others read, and
/// shown by `thimble check` and bounded in memory before it runs; reading more than was told works,
/// but costs more.
struct Reads {
  bool outputs = false;           ///< of all nodes: a forward pass
  bool loss_gradients = false;    ///< of the loss: a forward and a backward pass
  bool output_gradients = false;  ///< the same, and by the outputs of convolutions and classifiers
  bool input_gradients = false;   ///< of the sum of all logits: a cheaper backward pass
  bool tape = false;     ///< LibTorch's tape, with gradients of gradients: its own, unshared
  bool kernel = false;   ///< the neural tangent kernel, ntk_gram(): its own, unshared
  bool classes = false;  ///< a class of each sample: not for data whose labels are boxes

  Reads& operator|=(const Reads& other) noexcept;
  bool any_gradients() const noexcept {
    return loss_gradients || output_gradients || input_gradients;
  }
  bool anything() const noexcept { return outputs || any_gradients() || tape || kernel; }
};

/// Bytes of the tensors that a pass holds at its worst, all its batches looked at, from above.
/// Random weights and what a proxy makes of its own are not in it.
THIMBLE_EXPORT std::int64_t pass_bytes(const Graph& graph, const Pass& pass, const Reads& reads);

}  // namespace thimble
