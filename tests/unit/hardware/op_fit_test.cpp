// Operators estimated from others of their kind.

#include <cmath>
#include <vector>

#include <support/op_costs.hpp>
#include <support/world.hpp>
#include <thimble/hardware/op_fit.hpp>

namespace thimble::op_fit_test {
namespace {

using testing::board;
using testing::counted;

OpShape conv(int in, int out, int size, int window) {
  OpShape op;
  op.kernel = Kernel::conv;
  op.inputs = {{in, size, size}};
  op.output = {out, size, size};
  op.window = {window, window};
  op.padding = {window / 2, window / 2};
  return op;
}

std::vector<OpShape> many_convolutions() {
  std::vector<OpShape> ops;
  for (const int in : {3, 8, 16, 24})
    for (const int out : {4, 8, 20})
      for (const int window : {1, 3, 5}) ops.push_back(conv(in, out, 2 + in, window));
  return ops;
}

TEST(OpFit, FindsALawThatItsFeaturesCanWrite) {
  std::vector<std::vector<double>> rows;
  std::vector<double> values;
  for (const OpShape& op : many_convolutions()) {
    rows.push_back(features_of(op));
    const auto& f = rows.back();
    values.push_back(500 + 2 * f[1] + 30 * f[2] + 4 * f[3]);
  }
  const RelativeFit fit = fit_relative(rows, values);
  EXPECT_LT(fit.largest_error, 1e-6);
  const auto unseen = features_of(conv(12, 17, 9, 3));
  const double truth = 500 + 2 * unseen[1] + 30 * unseen[2] + 4 * unseen[3];
  EXPECT_NEAR(fit.predict(unseen), truth, 1e-6 * truth);
}

/// The closed form of leaving one out, against leaving one out.
TEST(OpFit, LeavesOneOut) {
  std::vector<std::vector<double>> rows;
  std::vector<double> values;
  for (const OpShape& op : many_convolutions()) {
    rows.push_back(features_of(op));
    const double wave = 1 + 0.2 * std::sin(static_cast<double>(rows.size()));
    values.push_back((300 + 3 * rows.back()[1]) * wave);
  }
  double mean = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto others = rows;
    auto other_values = values;
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
    other_values.erase(other_values.begin() + static_cast<std::ptrdiff_t>(i));
    const double predicted = fit_relative(others, other_values).predict(rows[i]);
    mean += std::abs(predicted / values[i] - 1) / static_cast<double>(rows.size());
  }
  EXPECT_NEAR(fit_relative(rows, values).mean_error, mean, 1e-6);
}

TEST(OpFit, IsRefusedWithTooFewRows) {
  const std::vector<std::vector<double>> rows(5, {1, 2, 3});
  EXPECT_THROW(fit_relative(rows, std::vector<double>(5, 1)), InputError);
  EXPECT_THROW(fit_relative({}, {}), InputError);
}

TEST(OpFit, DoesNotTrustARowThatStandsAlone) {
  std::vector<std::vector<double>> rows(8, {1, 0});
  rows[3][1] = 1;  // nobody else says what this feature costs
  const RelativeFit fit = fit_relative(rows, std::vector<double>(8, 10));
  EXPECT_EQ(fit.largest_error, 1);
}

TEST(OpCosts, EstimatesFromOthersOfItsKindAndSaysSo) {
  LatencyTable table;
  for (const OpShape& op : many_convolutions()) {
    const auto f = features_of(op);
    table.add(counted(op, 500 + 2 * f[1] + 30 * f[2]));
  }
  OpCostsOptions options;
  options.on_miss = OnMiss::fit;
  const OpCosts costs{board(), table, options};
  Graph graph;
  graph.conv(graph.input({12, 9, 9}), {17, {3, 3}, {1, 1}, {1, 1}, 1, true});
  const auto known = costs.of(skeleton(deployed(graph)));
  const auto f = features_of(conv(12, 17, 9, 3));
  ASSERT_EQ(known[0]->unsupported, "");
  EXPECT_NEAR(known[0]->cycles.value, 2 * (500 + 2 * f[1] + 30 * f[2]), 1);
  EXPECT_EQ(known[0]->cycles.origin, Origin::fitted);
  EXPECT_NEAR(known[0]->cycles.relative_error, 0.1, 1e-6) << "the error of the board's CPI is left";
  Board guess = board();
  guess.counted->cpi["default"].origin = Origin::guessed;
  const OpCosts guessed{guess, table, options};
  EXPECT_EQ(guessed.of(skeleton(deployed(graph)))[0]->cycles.origin, Origin::guessed);
}

}  // namespace
}  // namespace thimble::op_fit_test
