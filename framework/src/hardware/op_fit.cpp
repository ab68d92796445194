#include <thimble/hardware/op_fit.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>

#include <fmt/format.h>
#include <Eigen/QR>

#include <thimble/core/error.hpp>
#include <thimble/core/median.hpp>
#include <thimble/core/text.hpp>

namespace thimble {
namespace {

/// With this leverage a row alone speaks for a coefficient: without it nothing would be known.
constexpr double kSoleWitness = 1 - 1e-9;
/// A prediction of a tenth of a row, or of less, is ten times off at least.
constexpr double kMostShort = 0.9;
constexpr double kMostAround = 10;

/// Rows divided by their values: then plain least squares towards 1 are relative ones.
Eigen::MatrixXd scaled(std::span<const std::vector<double>> rows, std::span<const double> values) {
  Eigen::MatrixXd matrix(static_cast<Eigen::Index>(rows.size()),
                         static_cast<Eigen::Index>(rows.front().size()));
  for (Eigen::Index i = 0; i < matrix.rows(); ++i)
    for (Eigen::Index j = 0; j < matrix.cols(); ++j)
      matrix(i, j) = rows[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)] /
                     values[static_cast<std::size_t>(i)];
  return matrix;
}

std::int64_t sum_of_elements(const std::vector<Shape>& shapes) {
  return std::accumulate(
      shapes.begin(), shapes.end(), std::int64_t{0},
      [](std::int64_t sum, const Shape& shape) { return sum + shape.elements(); });
}

/// Terms that one output element sums up.
std::int64_t dot_length(const OpShape& op) {
  const std::int64_t cells = std::int64_t{op.window.height} * op.window.width;
  switch (op.kernel) {
    case Kernel::conv: return cells * (op.inputs[0].channels / op.groups);
    case Kernel::linear: return op.inputs[0].elements();
    case Kernel::mean: return op.inputs[0].pixels();
    case Kernel::add: return static_cast<std::int64_t>(op.inputs.size());
    default: return cells;
  }
}

}  // namespace

double RelativeFit::predict(std::span<const double> features) const {
  return std::inner_product(features.begin(), features.end(), coefficients.begin(), 0.0);
}

RelativeFit fit_relative(std::span<const std::vector<double>> rows,
                         std::span<const double> values) {
  if (rows.empty()) throw InputError{"there are no rows to fit to"};
  const std::size_t needed = 2 * rows.front().size();
  if (rows.size() < needed)
    throw InputError{fmt::format("{} {} too few to fit to", count_text(std::ssize(rows), "row"),
                                 rows.size() == 1 ? "is" : "are"),
                     fmt::format("at least {} are needed", needed)};
  Eigen::MatrixXd matrix = scaled(rows, values);
  // Features differ by orders of magnitude; the rank is only seen when columns have one length.
  Eigen::VectorXd length = matrix.colwise().norm().transpose();
  for (double& each : length) each = each > 0 ? each : 1;
  matrix = matrix * length.cwiseInverse().asDiagonal();
  const Eigen::VectorXd ones = Eigen::VectorXd::Ones(matrix.rows());
  Eigen::ColPivHouseholderQR<Eigen::MatrixXd> qr;
  qr.setThreshold(1e-9);
  qr.compute(matrix);
  const Eigen::VectorXd solution = qr.solve(ones).cwiseQuotient(length);
  const Eigen::VectorXd residual = ones - matrix * qr.solve(ones);
  const Eigen::MatrixXd basis =
      qr.householderQ() * Eigen::MatrixXd::Identity(matrix.rows(), qr.rank());

  RelativeFit fit;
  fit.coefficients.assign(solution.begin(), solution.end());
  std::vector<double> around;  // the prediction, not the row
  for (Eigen::Index i = 0; i < matrix.rows(); ++i) {
    // Without row i its residual would be this much larger (its leverage is in the denominator).
    const double leverage = basis.row(i).squaredNorm();
    const double short_of = leverage < kSoleWitness ? residual(i) / (1 - leverage) : 1;
    fit.mean_error += std::abs(short_of) / static_cast<double>(matrix.rows());
    fit.largest_error = std::max(fit.largest_error, std::abs(short_of));
    around.push_back(short_of < kMostShort ? std::abs(short_of / (1 - short_of)) : kMostAround);
  }
  std::ranges::sort(around);
  fit.p95_error = around[place_of_share(0.95, around.size())];
  return fit;
}

std::vector<double> features_of(const OpShape& op) {
  const auto length = static_cast<double>(dot_length(op));
  const auto pixels = static_cast<double>(op.output.pixels());
  const auto elements = static_cast<double>(op.output.elements());
  const auto cells = static_cast<double>(std::int64_t{op.window.height} * op.window.width);
  return {1,
          elements * length,
          elements,
          pixels * length * op.groups,
          pixels * cells,
          static_cast<double>(sum_of_elements(op.inputs))};
}

}  // namespace thimble
