#include "layer.hpp"

#include <algorithm>

#include <thimble/core/index.hpp>
#include <thimble/nn/propagation/tensor.hpp>

namespace thimble::ntk {

template <class Scalar>
Visits<Scalar>::Visits(const Window& window, bool is_rectified, const Scalar* values, int samples,
                       int band_rows)
    : window_{window},
      is_rectified_{is_rectified},
      band_rows_{band_rows},
      bands_{(window.y.source + band_rows - 1) / band_rows},
      classes_{pixel_classes(window)} {
  const std::int64_t planes =
      is_rectified ? std::int64_t{samples} * window.source_channels : std::int64_t{1};
  const std::int64_t plane_size = window.source_shape().pixels();
  pixels_.resize(static_cast<std::size_t>(planes * plane_size));
  ends_.assign(1, 0);
  for (std::int64_t plane = 0; plane < planes; ++plane) append(values + plane * plane_size);
}

/// The pixels of one plane.
template <class Scalar>
void Visits<Scalar>::append(const Scalar* values) {
  std::size_t used = ends_.back();
  for (const PixelClass& reached : classes_) {
    auto pixel = reached.pixels.begin();
    for (int band = 0; band < bands_; ++band) {
      const int end = (band + 1) * band_rows_ * window_.x.source;
      // Without a branch on the value: signs are unpredictable.
      for (; pixel != reached.pixels.end() && pixel->source < end; ++pixel) {
        pixels_[used] = *pixel;
        used += !is_rectified_ || values[pixel->source] > Scalar{0} ? 1 : 0;
      }
      ends_.push_back(used);
    }
  }
}

template <class Scalar>
bool Visits<Scalar>::suits(const Window& window, bool is_rectified) const {
  return is_rectified == is_rectified_ && window.y == window_.y && window.x == window_.x &&
         window.is_mean == window_.is_mean;
}

template <class Scalar>
std::span<const Pixel> Visits<Scalar>::pixels(int sample, int channel, std::size_t class_index,
                                              int band) const {
  const int plane = is_rectified_ ? sample * window_.source_channels + channel : 0;
  const std::size_t list = static_cast<std::size_t>(plane) * classes_.size() + class_index;
  const std::size_t* end =
      &ends_[list * static_cast<std::size_t>(bands_) + static_cast<std::size_t>(band)];
  return std::span{pixels_}.subspan(end[0], end[1] - end[0]);
}

template <class Scalar>
Lanes<Scalar>* Scratch<Scalar>::rows(const Window& window, int count) {
  auto found = std::ranges::find_if(all_, [&](const auto& rows) {
    return rows->window.x == window.x && rows->window.target_channels == window.target_channels;
  });
  if (found == all_.end()) {
    all_.push_back(std::make_unique<Rows>(Rows{window, {}}));
    found = all_.end() - 1;
  }
  auto& values = (*found)->values;
  const auto needed = at(count) * at(window.x.padded()) * at(window.target_channels);
  if (values.size() < needed) values.resize(needed, Lanes<Scalar>{});
  return values.data();
}

template <class Scalar>
Layer<Scalar>::Layer(const Network& network, const Term& term, const Norm<Scalar>* norm,
                     const Visits<Scalar>& visits, const Scalar* values)
    : term_{term},
      sources_{term.from},
      norm_{norm},
      visits_{&visits},
      values_{values},
      window_{window_of(network.graph(), term)} {
  if (window_.is_mean) {
    make_divisor();
  } else {
    const at::Tensor weight = network.parameters(term.window).weight.detach();
    pack_weights(weight.contiguous());
    gradient_.resize(weights_.size());
  }
}

template <class Scalar>
double Layer<Scalar>::output_factor(int output) const {
  return norm_ == nullptr ? term_.factor
                          : term_.factor * norm_->factor[static_cast<std::size_t>(output)];
}

/// Into the order in which the kernels read them, and multiplied with the factor of their output.
template <class Scalar>
void Layer<Scalar>::pack_weights(const at::Tensor& weight) {
  const Scalar* from = weight.template data_ptr<Scalar>();
  const int inputs = window_.inputs_of_group();
  const int outputs = window_.outputs_of_group();
  weights_.reserve(static_cast<std::size_t>(weight.numel()));
  for (const PixelClass& reached : visits_->classes()) {
    for (int input = 0; input < window_.source_channels; ++input) {
      const int group = input / inputs;
      for (const PixelClass::Tap& tap : reached.taps) {
        for (int o = group * outputs; o < (group + 1) * outputs; ++o) {
          const std::int64_t plane = std::int64_t{o} * inputs + input % inputs;
          const std::int64_t place = (plane * window_.y.kernel + tap.y) * window_.x.kernel + tap.x;
          weights_.push_back(static_cast<Scalar>(from[place] * output_factor(o)));
        }
      }
    }
  }
}

/// A mean divides by the number of cells in each window: all alike without padding, and then that
/// goes into the weights; else a map.
template <class Scalar>
void Layer<Scalar>::make_divisor() {
  const bool is_uniform = window_.y.padding == 0 && window_.x.padding == 0;
  const double common = is_uniform ? 1.0 / window_.cells(0, 0) : 1.0;
  for (const PixelClass& reached : visits_->classes())
    for (int channel = 0; channel < window_.source_channels; ++channel)
      weights_.insert(weights_.end(), reached.taps.size(),
                      static_cast<Scalar>(output_factor(channel) * common));
  if (is_uniform) return;
  for (int y = 0; y < window_.y.target; ++y)
    for (int x = 0; x < window_.x.target; ++x)
      divisor_.push_back(static_cast<Scalar>(1.0 / window_.cells(y, x)));
}

template <class Scalar>
double Layer<Scalar>::factor(std::size_t weight) const {
  // Outputs of the group run fastest in a pack, then taps, then input channels, then classes.
  const auto outputs = static_cast<std::size_t>(window_.outputs_of_group());
  for (const PixelClass& reached : visits_->classes()) {
    const std::size_t per_input = reached.taps.size() * outputs;
    const std::size_t in_class = per_input * static_cast<std::size_t>(window_.source_channels);
    if (weight >= in_class) {
      weight -= in_class;
      continue;
    }
    const auto group = weight / per_input / static_cast<std::size_t>(window_.inputs_of_group());
    return output_factor(static_cast<int>(group * outputs + weight % outputs));
  }
  return 0.0;
}

template <class Scalar>
bool Layer<Scalar>::absorbs(const Network& network, const Term& other) {
  const bool is_alike = window_.is_mean && norm_ == nullptr && other.norm < 0 &&
                        other.factor == term_.factor && other.is_rectified == term_.is_rectified &&
                        window_of(network.graph(), other) == window_;
  if (is_alike) sources_.push_back(other.from);
  return is_alike;
}

template <class Scalar>
void Layer<Scalar>::copy(const Band& band, std::span<const Vector* const> from, Vector* into,
                         bool overwrites) const {
  const std::int64_t row = std::int64_t{window_.x.source} * window_.source_channels;
  ScaleRun<Scalar> run{};
  run.into = into + band.first_row * row;
  run.count = (band.end_row - band.first_row) * row;
  run.factor = static_cast<Scalar>(term_.factor);
  run.adds = !overwrites;
  for (const Vector* source : from) {
    run.from = source + band.first_row * row;
    kernels<Scalar>().scale(run);
    run.adds = true;
  }
}

template <class Scalar>
bool Layer<Scalar>::is_padded() const {
  return sources_.size() > 1 || norm_ != nullptr || !divisor_.empty() || window_.has_halo();
}

/// Rows of the cotangent of the window's output, in the layout of its kernels, but for the factor
/// that its weights have taken over.
template <class Scalar>
void Layer<Scalar>::pad(const Band& band, int padded_begin, int padded_end,
                        std::span<const Vector* const> from, const Vector* mean,
                        Vector* rows) const {
  const int halo = window_.y.halo_before();
  const int first = std::clamp(padded_begin - halo, 0, window_.y.target);
  const int end = std::clamp(padded_end - halo, first, window_.y.target);
  const int row = window_.x.padded() * window_.target_channels;
  std::fill(rows, rows + (first + halo - padded_begin) * row, Vector{});
  std::fill(rows + (end + halo - padded_begin) * row, rows + (padded_end - padded_begin) * row,
            Vector{});

  const int first_pixel = first * window_.x.target;
  PadRun<Scalar> run{};
  run.into = rows + (first + halo - padded_begin) * row +
             window_.x.halo_before() * window_.target_channels;
  run.height = end - first;
  run.width = window_.x.target;
  run.channels = window_.target_channels;
  run.into_width = window_.x.padded();
  run.plane = window_.y.target * window_.x.target;
  if (norm_ != nullptr) {
    const std::int64_t elements = std::int64_t{run.plane} * run.channels;
    run.normalised =
        norm_->normalised.template data_ptr<Scalar>() + band.sample * elements + first_pixel;
    run.mean = mean;
    run.slope = norm_->slope.data();
  }
  run.divisor = divisor_.empty() ? nullptr : divisor_.data() + first_pixel;
  for (const Vector* source : from) {
    run.from = source + std::int64_t{first_pixel} * window_.target_channels;
    kernels<Scalar>().pad(run);
    run.adds = true;
  }
}

template <class Scalar>
void Layer<Scalar>::run(const Band& band, std::span<const Vector* const> from, const Vector* mean,
                        Vector* into, bool overwrites, Scratch<Scalar>& scratch) {
  if (is_plain()) return copy(band, from, into, overwrites);
  if (!is_padded()) return run_windows(band, 0, from[0], into);
  const int begin = window_.y.padded_begin(band.first_row);
  const int end = window_.y.padded_end(band.end_row);
  Vector* const rows = scratch.rows(window_, end - begin);
  pad(band, begin, end, from, mean, rows);
  run_windows(band, begin * window_.x.padded(), rows, into);
}

template <class Scalar>
void Layer<Scalar>::run_windows(const Band& band, int first_target, const Vector* source,
                                Vector* into) {
  const std::int64_t plane_size = window_.source_shape().pixels();
  const std::int64_t first_plane = std::int64_t{band.sample} * window_.source_channels;
  const Scalar* weights = weights_.data();
  Vector* gradient = gradient_.empty() ? nullptr : gradient_.data();

  WindowRun<Scalar> run{};
  run.first_target = first_target;
  run.output_count = window_.outputs_of_group();
  run.from_channels = window_.target_channels;
  run.into_channels = window_.source_channels;
  for (std::size_t k = 0; k < visits_->classes().size(); ++k) {
    const PixelClass& reached = visits_->classes()[k];
    run.tap_count = static_cast<int>(reached.taps.size());
    run.offsets = reached.offsets.data();
    const int weights_per_input = run.tap_count * run.output_count;
    for (int input = 0; input < window_.source_channels; ++input) {
      const std::span<const Pixel> pixels = visits_->pixels(band.sample, input, k, band.index);
      run.pixels = pixels.data();
      run.pixel_count = static_cast<int>(pixels.size());
      run.from = source + input / window_.inputs_of_group() * run.output_count;
      run.weights = weights;
      run.into = into == nullptr ? nullptr : into + input;
      run.values = values_ + (first_plane + input) * plane_size;
      run.gradient = gradient;
      if (!pixels.empty()) kernels<Scalar>().window(run);
      weights += weights_per_input;
      if (gradient != nullptr) gradient += weights_per_input;
    }
  }
}

template class Visits<float>;
template class Visits<double>;
template class Scratch<float>;
template class Scratch<double>;
template class Layer<float>;
template class Layer<double>;

}  // namespace thimble::ntk
