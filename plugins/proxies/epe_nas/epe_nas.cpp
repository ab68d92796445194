// EPE-NAS, how alike the samples of a class move the logits: Lopes, Alirezazadeh and Alexandre
// (ICANN 2021, arXiv 2102.08099).
//
//     J_b = d(sum_k f_k) / d x_b,   r_ij = correlation between J_i and J_j
//     s_c = sum over samples i, j of class c of log(|r_ij| + 1e-5)
//     S   = sum_c |s_c|                                        a task of 100 classes or fewer
//         = sum_{c, c'} |s_c / n_c - s_c' / n_c'| / classes    of more, n_c samples of class c
//
// over the classes that have two samples in the batch. More is better. Cost: one forward pass and
// one backward pass to the input, shared with jacov and every other proxy of the same pass.
//
// Traps: S grows with the pairs that a class has, so values of different batches cannot be
// compared. Many classes in a small batch leave few pairs, and little is left of the measure:
// ImageNet16-120. The published program never tells its function the number of classes and takes
// the first formula always: `compat: true`. A sample that the logits do not depend on has no
// correlation: no score.

#include <cmath>
#include <map>

#include <thimble/core/error.hpp>
#include <thimble/nn/correlation.hpp>
#include <thimble/proxy.hpp>

namespace {

struct Params {
  thimble::Pass pass;
  bool compat = false;

  template <class Describe>
  static void describe(Describe& param) {
    param.include(&Params::pass);
    param(&Params::compat, "compat",
          "the formula for up to 100 classes for any number, as the published program does");
  }
};

class EpeNas final : public thimble::ProxyWith<Params> {
 public:
  using ProxyWith::ProxyWith;

  thimble::Direction direction() const override { return thimble::Direction::maximize; }
  thimble::Reads reads() const override { return {.input_gradients = true, .classes = true}; }

  double score(thimble::Observation& seen) const override {
    const auto correlation = thimble::correlation_of_input_gradients(seen);
    const auto classes = sums_by_class(correlation, seen.labels());
    const int class_count = seen.graph().node(seen.graph().output()).shape.channels;
    return class_count <= 100 || params().compat ? sum_of_sizes(classes) : spread(classes);
  }

 private:
  struct Class {
    std::int64_t samples = 0;
    double sum = 0;
  };

  static std::vector<Class> sums_by_class(const at::Tensor& correlation, const at::Tensor& labels) {
    const auto terms = (correlation.abs() + 1e-5).log();
    const auto term = terms.accessor<double, 2>();
    const auto label = labels.accessor<std::int64_t, 1>();
    std::map<std::int64_t, Class> by_label;
    for (std::int64_t i = 0; i < labels.size(0); ++i) {
      Class& own = by_label[label[i]];
      ++own.samples;
      for (std::int64_t j = 0; j < labels.size(0); ++j)
        if (label[j] == label[i]) own.sum += term[i][j];
    }
    std::vector<Class> classes;
    for (const auto& [name, one] : by_label)
      if (one.samples >= 2) classes.push_back(one);
    if (classes.empty())
      throw thimble::Error{"no class has two samples in the batch", "raise 'batch'"};
    return classes;
  }

  static double sum_of_sizes(const std::vector<Class>& classes) {
    double sum = 0;
    for (const Class& one : classes) sum += std::abs(one.sum);
    return sum;
  }

  static double spread(const std::vector<Class>& classes) {
    const auto mean = [](const Class& one) { return one.sum / static_cast<double>(one.samples); };
    double sum = 0;
    for (const Class& one : classes)
      for (const Class& other : classes) sum += std::abs(mean(one) - mean(other));
    return sum / static_cast<double>(classes.size());
  }
};

}  // namespace

THIMBLE_PLUGIN("epe_nas", "1.0.0") {
  plugin.provides<EpeNas>("correlation between gradients of the logits within classes (EPE-NAS)");
}
