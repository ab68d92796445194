#include <thimble/nn/pass.hpp>

#include <algorithm>

#include <thimble/graph/counts.hpp>
#include <thimble/nn/ntk/ntk.hpp>

namespace thimble {

template Schema schema_of(Pass&);

const std::vector<std::pair<std::string, InputKind>>& names_of(InputKind) {
  static const std::vector<std::pair<std::string, InputKind>> kNames{
      {"data", InputKind::data}, {"normal", InputKind::normal}, {"ones", InputKind::ones}};
  return kNames;
}

const std::vector<std::pair<std::string, Fit>>& names_of(Fit) {
  static const std::vector<std::pair<std::string, Fit>> kNames{{"resize", Fit::resize},
                                                               {"crop", Fit::crop}};
  return kNames;
}

const std::vector<std::pair<std::string, BatchNorm>>& names_of(BatchNorm) {
  static const std::vector<std::pair<std::string, BatchNorm>> kNames{{"batch", BatchNorm::batch},
                                                                     {"off", BatchNorm::off}};
  return kNames;
}

Reads& Reads::operator|=(const Reads& other) noexcept {
  outputs |= other.outputs;
  loss_gradients |= other.loss_gradients;
  output_gradients |= other.output_gradients;
  input_gradients |= other.input_gradients;
  tape |= other.tape;
  kernel |= other.kernel;
  classes |= other.classes;
  return *this;
}

std::int64_t pass_bytes(const Graph& graph, const Pass& pass, const Reads& reads) {
  std::int64_t kept = 0;  // outputs wait for the backward run, or for readers
  std::int64_t weighted = 0;
  std::int64_t largest = 0;
  for (const Node& node : graph.nodes()) {
    const std::int64_t elements = node.shape.elements();
    largest = std::max(largest, elements);
    if (node.op != Op::zero) kept += elements;
    if (node.op == Op::conv || node.op == Op::linear) weighted += elements;
  }
  const std::int64_t input = graph.node(0).shape.elements();
  // Who reads outputs may read those of every batch; else those of the first stay while another
  // batch is looked at.
  const int held = reads.outputs ? pass.batches : std::min(pass.batches, 2);
  std::int64_t elements = reads.outputs || reads.any_gradients() ? held * kept : 0;
  elements += (pass.batches - held) * input;  // images of the rest
  if (reads.output_gradients) elements += pass.batches * weighted;
  if (reads.input_gradients) elements += pass.batches * input;
  // Of a backward run: what waits for its node's turn on each path that is open at once, and the
  // operator's own.
  constexpr int kOpenGradients = 12;
  elements += (reads.any_gradients() ? kOpenGradients : 3) * largest;
  if (reads.tape) elements += 2 * kept;  // forwards and backwards
  elements *= pass.batch;
  if (reads.loss_gradients || reads.output_gradients) elements += pass.batches * params(graph);
  const int bytes = pass.double_precision ? 8 : 4;
  const std::int64_t kernel = reads.kernel ? ntk_bytes(graph, pass.batch, bytes) : 0;
  return elements * bytes + kernel;
}

}  // namespace thimble
