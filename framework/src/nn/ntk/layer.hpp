#pragma once

#include <memory>
#include <span>
#include <vector>

#include <ATen/core/Tensor.h>

#include <thimble/nn/propagation/network.hpp>

#include "forward.hpp"
#include "kernels.hpp"
#include "terms.hpp"
#include "window.hpp"

namespace thimble::ntk {

/// Which pixels a window's kernels visit: those where the input is positive when a ReLU made that
/// input, since the rest neither has a gradient nor gives one; else all. They come by bands of
/// rows.
template <class Scalar>
class Visits {
 public:
  /// values: N x C x H x W, the ReLU's input; not looked at when there is no ReLU.
  Visits(const Window& window, bool is_rectified, const Scalar* values, int samples, int band_rows);

  bool suits(const Window& window, bool is_rectified) const;
  std::span<const PixelClass> classes() const { return classes_; }
  std::span<const Pixel> pixels(int sample, int channel, std::size_t class_index, int band) const;

 private:
  void append(const Scalar* values);

  Window window_;
  bool is_rectified_;
  int band_rows_;
  int bands_;
  std::vector<PixelClass> classes_;
  std::vector<Pixel> pixels_;
  std::vector<std::size_t> ends_;  ///< by sample, channel, class, band; after a leading zero
};

/// Some rows of the input of a node's readers, in one sample: what is worked on at a time, so that
/// all that happens to them happens in the processor's nearest cache.
struct Band {
  int sample;
  int index;
  int first_row;
  int end_row;
};

/// Memory for the rows of a padded cotangent, by layout. What is left and right of them stays zero.
template <class Scalar>
class Scratch {
 public:
  Lanes<Scalar>* rows(const Window& window, int count);

 private:
  struct Rows {
    Window window;
    std::vector<Lanes<Scalar>> values;
  };
  std::vector<std::unique_ptr<Rows>> all_;
};

/// One term made ready to run: its batch norm's and its window's step of the backward pass. Terms
/// that differ in nothing but where they come from, and have no weights, share one.
template <class Scalar>
class Layer {
 public:
  using Vector = Lanes<Scalar>;

  /// `values` is the activation of the node that the term goes to; `norm` may be null.
  Layer(const Network& network, const Term& term, const Norm<Scalar>* norm,
        const Visits<Scalar>& visits, const Scalar* values);

  /// True when the other term needs no layer of its own; it is then one of the sources.
  bool absorbs(const Network& network, const Term& other);
  const std::vector<NodeId>& sources() const { return sources_; }
  /// True when nothing but the factor lies between: such a layer can begin a cotangent.
  bool is_plain() const { return term_.window < 0 && term_.norm < 0 && !term_.is_rectified; }

  /// Adds to the cotangent of the term's target (when `into` is not null) and to the weights'
  /// gradients; a plain layer may overwrite instead. `from` has the sample of each source's
  /// cotangent, `mean` that of the only source, per channel.
  void run(const Band& band, std::span<const Vector* const> from, const Vector* mean, Vector* into,
           bool overwrites, Scratch<Scalar>& scratch);

  /// Of all weights, summed up since it was last made zero; empty when there are none.
  std::vector<Vector>& gradient() { return gradient_; }
  /// The gradients of all cotangents, weight x cotangent, which the owner keeps here.
  std::vector<Scalar>& jacobian() { return jacobian_; }
  /// What the gradient of one weight is still to be multiplied with.
  double factor(std::size_t weight) const;

 private:
  void copy(const Band& band, std::span<const Vector* const> from, Vector* into,
            bool overwrites) const;
  bool is_padded() const;
  void pad(const Band& band, int padded_begin, int padded_end, std::span<const Vector* const> from,
           const Vector* mean, Vector* rows) const;
  void run_windows(const Band& band, int first_target, const Vector* source, Vector* into);
  double output_factor(int output) const;
  void pack_weights(const at::Tensor& weight);
  void make_divisor();

  Term term_;
  std::vector<NodeId> sources_;
  const Norm<Scalar>* norm_;
  const Visits<Scalar>* visits_;
  const Scalar* values_;
  Window window_;
  std::vector<Scalar> weights_;  ///< class x input channel x tap x output of the group, by factor()
  std::vector<Scalar> divisor_;  ///< of a mean whose windows hold different numbers of cells
  std::vector<Vector> gradient_;
  std::vector<Scalar> jacobian_;
};

}  // namespace thimble::ntk
