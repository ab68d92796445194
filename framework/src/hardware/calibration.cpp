#include <thimble/hardware/calibration.hpp>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <set>

#include <fmt/format.h>

#include <thimble/core/median.hpp>
#include <thimble/core/params.hpp>
#include <thimble/core/text.hpp>

namespace thimble {
namespace {

/// Additions and softmax on three chips were as far from the convolutions of the same chip.
constexpr double kErrorOfOtherKinds = 0.3;

/// Median of sorted values without one of them.
double median_without(const std::vector<double>& sorted, std::size_t left_out) {
  const std::size_t n = sorted.size() - 1;
  const auto at = [&](std::size_t i) { return sorted[i < left_out ? i : i + 1]; };
  return n % 2 == 1 ? at(n / 2) : (at(n / 2 - 1) + at(n / 2)) / 2;
}

/// How far each sample's cycles are from what the fit to all others says, relative to that, sorted.
std::vector<double> left_out_errors(const std::vector<double>& ratios) {
  if (ratios.size() == 1) return {1};
  std::vector<double> errors;
  for (std::size_t i = 0; i < ratios.size(); ++i)
    errors.push_back(std::abs(ratios[i] / median_without(ratios, i) - 1));
  std::ranges::sort(errors);
  return errors;
}

std::string text_of(const CpiFit& fit) {
  if (fit.n == 1) return fit.kind + " (one operator; two are needed to tell)";
  return fmt::format("{} (95 % of {} within {:.0f} %)", fit.kind, fit.n, 100 * fit.p95_error);
}

/// The section `cpi` of a board file.
Value cpi_section(std::span<const CpiFit> fits, const std::string& board,
                  const std::string& source) {
  const auto rounded = [](double number) { return std::round(number * 1e4) / 1e4; };
  Value section = Value::map();
  for (const CpiFit& fit : fits) {
    CyclesPerInstruction cpi;
    cpi.value = rounded(fit.cpi);
    cpi.relative_error = rounded(fit.p95_error);
    cpi.n = static_cast<std::int64_t>(fit.n);
    cpi.board = board;
    cpi.kernels = fit.kernels;
    cpi.origin = Origin::fitted;
    cpi.source = source;
    if (fit.kind == kDefaultKind)  // for kinds of which nothing was measured
      cpi.relative_error = std::max(cpi.relative_error, kErrorOfOtherKinds);
    section.set(fit.kind, write_params(cpi));
  }
  return section;
}

CountedCosts guessed_fixed_parts() {
  CountedCosts made;
  made.fixed_ram_bytes = 1024;
  made.fixed_rom_bytes = 4096;
  made.source = "guesses: look at the map file of a firmware";
  return made;
}

/// Instructions of operators, by how they were built.
using Builds = std::map<std::string, double>;

std::map<std::string, Builds> counted_builds(const LatencyTable& table, const std::string& core) {
  std::vector<const OpRow*> own = table.rows();
  std::erase_if(own, [&](const OpRow* row) { return !row->instructions || row->target != core; });
  require_one_setup(own);
  std::map<std::string, Builds> made;
  for (const OpRow* const row : own)
    made[to_string(row->op)].emplace(row->build(), *row->instructions);
  return made;
}

void require_one_build(const std::set<std::string>& measured, const std::string& counted) {
  if (measured.size() > 1)
    throw InputError{"measurements of several builds: " + join({measured.begin(), measured.end()}),
                     "take tables that have one of them"};
  if (measured.empty() && !counted.empty())
    throw InputError{"what was measured is not what was counted: " + counted,
                     "count the same kernels, with the same compiler and flags"};
}

}  // namespace

std::vector<CalibrationSample> calibration_samples(const Board& board, const LatencyTable& measured,
                                                   const LatencyTable& counted) {
  const auto counts = counted_builds(counted, board.core);
  std::vector<const OpRow*> own = measured.rows();
  std::erase_if(own, [&](const OpRow* row) { return !row->cycles || row->target != board.id; });
  require_one_setup(own);
  std::vector<CalibrationSample> samples;
  std::set<std::string> builds;
  std::string other;
  for (const OpRow* const row : own) {
    const auto found = counts.find(to_string(row->op));
    if (found == counts.end()) continue;
    const std::string build = row->build();
    if (const auto count = found->second.find(build); count != found->second.end()) {
      samples.push_back({row->op, count->second, *row->cycles, row->kernels});
      builds.insert(build);
    } else {
      other = build + ", and " + found->second.begin()->first;
    }
  }
  require_one_build(builds, other);
  return samples;
}

CpiFit fit_cpi(std::string kind, std::span<const CalibrationSample> samples) {
  if (samples.empty()) throw Error{"there is nothing to fit " + in_quotes(kind) + " to"};
  std::vector<double> ratios;
  for (const CalibrationSample& sample : samples)
    ratios.push_back(sample.cycles / sample.instructions);
  std::ranges::sort(ratios);
  const auto errors = left_out_errors(ratios);
  CpiFit fit{std::move(kind), samples.front().kernels, median(ratios), ratios.size()};
  for (const double error : errors) fit.mean_error += error / static_cast<double>(errors.size());
  fit.p95_error = errors[place_of_share(0.95, errors.size())];
  fit.most_error = errors.back();
  return fit;
}

std::vector<CpiFit> calibrate(std::span<const CalibrationSample> samples) {
  if (samples.empty())
    throw InputError{"no operator is both measured and counted",
                     "the same operators must be in both tables"};
  std::vector<CpiFit> fits;
  for (const Kernel kernel : kKernels) {
    std::vector<CalibrationSample> own;
    std::ranges::copy_if(samples, std::back_inserter(own), [&](const CalibrationSample& sample) {
      return sample.op.kernel == kernel;
    });
    if (!own.empty()) fits.push_back(fit_cpi(name_of(kernel), own));
  }
  fits.push_back(fit_cpi(kDefaultKind, samples));
  return fits;
}

void require_good_fits(std::span<const CpiFit> fits, double most) {
  std::vector<std::string> bad;
  for (const CpiFit& fit : fits)
    if (fit.p95_error > most) bad.push_back(text_of(fit));
  if (bad.empty()) return;
  throw InputError{
      fmt::format("cycles an instruction fit badly for {}; {:.0f} % are the most", join(bad),
                  100 * most),
      "were the same kernels measured and counted, with the same flags and enough operators?"};
}

Value with_fits(const Value& board_file, std::span<const CpiFit> fits, const std::string& source,
                const std::filesystem::path& file) {
  Value made = board_file;
  const std::string id = file.stem().string();
  made.set("id", Value::scalar(id));
  if (made.find("counted") == nullptr) made.set("counted", write_params(guessed_fixed_parts()));
  made.find("counted")->set("cpi", cpi_section(fits, id, source));
  board_from(made, file);
  return made;
}

}  // namespace thimble
