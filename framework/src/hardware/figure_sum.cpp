#include <thimble/hardware/figure_sum.hpp>

#include <algorithm>
#include <cmath>

namespace thimble {

void FigureSum::add(const Figure& figure) {
  value_ += figure.value;
  errors_[static_cast<std::size_t>(figure.origin)] += figure.value * figure.relative_error;
  origin_ = std::max(origin_, figure.origin);
}

Figure FigureSum::total() const {
  double squares = 0;
  for (const double error : errors_) squares += error * error;
  return {value_, value_ > 0 ? std::sqrt(squares) / value_ : 0, origin_};
}

}  // namespace thimble
