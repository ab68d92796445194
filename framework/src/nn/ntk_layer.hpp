#pragma once

#include <memory>
#include <span>
#include <vector>

#include <torch/types.h>

#include <thimble/nn/network.hpp>

#include "ntk_kernels.hpp"
#include "ntk_terms.hpp"
#include "ntk_window.hpp"

namespace thimble::ntk {

/// Batch norm, z -> scale * normalised + shift. With dy the cotangent of its output,
///     dz = scale / deviation * (dy - mean(dy) - normalised * mean(dy * normalised))
template <class Scalar>
struct Norm {
  torch::Tensor normalised;          ///< N x C x H x W
  std::vector<double> factor;        ///< scale / deviation
  std::vector<Lanes<Scalar>> slope;  ///< mean(dy * normalised): block x channel
};

/// Which pixels a window's kernels visit: those where the input is positive when a ReLU made that
/// input, since the rest neither has a gradient nor gives one; else all.
template <class Scalar>
class Visits {
 public:
  /// values: N x C x H x W, the ReLU's input; not looked at when there is no ReLU.
  Visits(const Window& window, bool is_rectified, const Scalar* values, int samples);

  bool suits(const Window& window, bool is_rectified) const;
  std::span<const PixelClass> classes() const { return classes_; }
  std::span<const Pixel> pixels(int sample, int channel, std::size_t class_index) const;

 private:
  Window window_;
  bool is_rectified_;
  std::vector<PixelClass> classes_;
  std::vector<Pixel> pixels_;
  std::vector<std::size_t> ends_;  ///< by sample, channel, class; after a leading zero
};

/// Padded copies of one sample's cotangent, one for each layout. The zeros around are written once.
template <class Scalar>
class Scratch {
 public:
  Lanes<Scalar>* padded(const Window& window);

 private:
  struct Copy {
    Window window;
    std::vector<Lanes<Scalar>> values;
  };
  std::vector<std::unique_ptr<Copy>> copies_;
};

/// One term made ready to run: its batch norm's and its window's step of the backward pass.
template <class Scalar>
class Layer {
 public:
  using Vector = Lanes<Scalar>;

  /// `values` is the activation of the node that the term goes to; `norm` may be null.
  Layer(const Network& network, const Term& term, const Norm<Scalar>* norm,
        const Visits<Scalar>& visits, const Scalar* values, std::size_t block_count);

  const Term& term() const { return term_; }

  /// Adds to the cotangent of the term's target (when `into` is not null) and to the weights'
  /// gradients. `mean` is that of the cotangent `from`, per channel.
  void run(std::size_t block, int sample, const Vector* from, const Vector* mean, Vector* into,
           Scratch<Scalar>& scratch);

  /// Of all weights, block x weight; empty when there are none.
  std::span<const Vector> gradient() const { return gradient_; }
  /// What the gradient of one weight is still to be multiplied with.
  double factor(std::size_t weight) const;

 private:
  const Vector* prepared(std::size_t block, int sample, const Vector* from, const Vector* mean,
                         Scratch<Scalar>& scratch) const;
  double output_factor(int output) const;
  void pack_weights(const torch::Tensor& weight);
  void make_divisor();

  Term term_;
  const Norm<Scalar>* norm_;
  const Visits<Scalar>& visits_;
  const Scalar* values_;
  Window window_;
  std::vector<Scalar> weights_;  ///< class x input channel x tap x output of the group, by factor()
  std::vector<Scalar> divisor_;  ///< of a mean whose windows hold different numbers of cells
  std::vector<Vector> gradient_;
};

}  // namespace thimble::ntk
