#include <thimble/train/loss.hpp>

#include <vector>

#include <fmt/format.h>

#include <thimble/core/error.hpp>
#include <thimble/nn/propagation/tensor.hpp>

namespace thimble {

Loss cross_entropy(const at::Tensor& logits, const at::Tensor& labels, double smoothing,
                   std::span<const double> weights) {
  const at::NoGradGuard no_grad;
  const std::int64_t classes = logits.size(1);
  const auto lowest = labels.min().item<std::int64_t>();
  const auto highest = labels.max().item<std::int64_t>();
  if (lowest < 0 || highest >= classes)
    throw Error{
        fmt::format("label {} is none of {} classes", lowest < 0 ? lowest : highest, classes)};
  const at::Tensor logarithms = at::log_softmax(logits, 1);
  const double spread = smoothing / static_cast<double>(classes);
  at::Tensor target =
      at::one_hot(labels, classes).to(logits.scalar_type()) * (1 - smoothing) + spread;
  at::Tensor probabilities = logarithms.exp();
  if (!weights.empty()) {
    const at::Tensor all = at::tensor(std::vector<double>{weights.begin(), weights.end()});
    const at::Tensor each = all.index_select(0, labels).to(logits.scalar_type()).unsqueeze(1);
    target = target * each;
    probabilities = probabilities * each;
  }
  return {-(target * logarithms).sum(at::kDouble).item<double>(), probabilities - target};
}

}  // namespace thimble
