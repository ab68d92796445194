#pragma once

#include <cstdint>

namespace thimble::ntk {

/// One number for each cotangent of a block: what the kernels' vectors hold.
template <class Scalar>
struct alignas(64) Lanes {
  static constexpr int kCount = static_cast<int>(64 / sizeof(Scalar));
  Scalar lane[kCount];
};

/// An element of an operator's input, and the place in its (padded) output that reaches it.
struct Pixel {
  std::int32_t source;
  std::int32_t target;
};

/// One input channel of a windowed operator, seen backwards: for each pixel p in a list
///     into[p] += sum over taps t and outputs o of weights[t][o] * from[p.target + offset t][o]
///     gradient[t][o] += values[p] * from[p.target + offset t][o]
template <class Scalar>
struct WindowRun {
  const Pixel* pixels;
  int pixel_count;
  int tap_count;
  int output_count;
  const int* offsets;         ///< of the taps, in pixels
  const Lanes<Scalar>* from;  ///< at the first of the outputs of pixel `first_target`
  int from_channels;
  int first_target;
  const Scalar* weights;
  Lanes<Scalar>* into;  ///< at the input channel; null when that is not needed
  int into_channels;
  const Scalar* values;     ///< of the operator's input, by source
  Lanes<Scalar>* gradient;  ///< null when that is not needed
};

/// One sample's cotangent copied into a padded one, which is where a window reads it:
///     into = from, or divisor * from, or from - mean - normalised * slope (batch norm, backwards)
template <class Scalar>
struct PadRun {
  const Lanes<Scalar>* from;
  Lanes<Scalar>* into;  ///< at the first pixel inside the halo
  int height;
  int width;
  int channels;
  int into_width;
  bool adds;                 ///< to what `into` holds; not with batch norm
  const Scalar* divisor;     ///< per pixel; null unless a mean
  const Scalar* normalised;  ///< channel by channel, `plane` apart; null without batch norm
  int plane;
  const Lanes<Scalar>* mean;   ///< per channel
  const Lanes<Scalar>* slope;  ///< per channel
};

/// into = factor * from, or += when it adds.
template <class Scalar>
struct ScaleRun {
  const Lanes<Scalar>* from;
  Lanes<Scalar>* into;
  std::int64_t count;
  Scalar factor;
  bool adds;
};

/// sum[c] += sum over pixels of from[p][c], and likewise of from[p][c] * normalised[c][p] for up to
/// kMostNorms batch norms.
template <class Scalar>
struct SumRun {
  static constexpr int kMostNorms = 6;
  const Lanes<Scalar>* from;
  int pixels;
  int channels;
  Lanes<Scalar>* sum;
  int norm_count;
  const Scalar* normalised[kMostNorms];  ///< channels are `plane` apart
  int plane;
  Lanes<Scalar>* norm_sum[kMostNorms];
};

/// Batch norm's first half: into = (from - mean) / deviation per channel of N x C x pixels.
template <class Scalar>
struct NormaliseRun {
  const Scalar* from;
  Scalar* into;
  int samples;
  int channels;
  int pixels;
  double epsilon;
  double* inverse_deviation;  ///< per channel; written
};

template <class Scalar>
struct Kernels {
  void (*window)(const WindowRun<Scalar>&);
  void (*pad)(const PadRun<Scalar>&);
  void (*scale)(const ScaleRun<Scalar>&);
  void (*sum)(const SumRun<Scalar>&);
  void (*normalise)(const NormaliseRun<Scalar>&);
};

/// The fastest that this machine's processor can run.
template <class Scalar>
const Kernels<Scalar>& kernels();

}  // namespace thimble::ntk
