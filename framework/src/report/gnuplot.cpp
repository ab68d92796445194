#include <thimble/report/gnuplot.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>

#include <fmt/format.h>

#include <thimble/core/error.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/process.hpp>
#include <thimble/core/text.hpp>

namespace thimble {
namespace {

namespace fs = std::filesystem;

/// Empty when gnuplot drew it, else what it complained of.
std::string run_gnuplot(const fs::path& gnuplot, const fs::path& script, const fs::path& folder) {
  const ProcessLimits limits{.time = std::chrono::minutes{1}};
  try {
    const ProcessResult result = run_process(gnuplot, {script.string()}, folder, limits);
    return result.succeeded() ? "" : failure_text("gnuplot", result, limits);
  } catch (const Error& error) {
    return error.diagnostics().front().message;
  }
}

}  // namespace

std::string head(const std::string& name, int width, int height) {
  return fmt::format(
      "# gnuplot {0}.gp draws {0}.png anew.\n"
      "reset session\n"
      "set encoding utf8\n"
      "set terminal pngcairo size {1},{2} font 'DejaVu Sans,20' linewidth 2\n"
      "set output '{0}.png'\n"
      "set border linecolor '#444444'\n"
      "set key noenhanced\n",
      name, width, height);
}

std::string block(const std::string& name, const std::vector<std::vector<double>>& rows) {
  std::string text = "$" + name + " << EOD\n";
  for (const auto& row : rows) {
    for (const double value : row) text += number_text(value) + " ";
    text += "\n";
  }
  return text + "EOD\n";
}

std::string cut(const std::string& text) {
  constexpr std::size_t kMost = 44;  // letters that fit above a picture
  if (text.size() <= kMost) return text;
  std::size_t end = kMost;
  while ((static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;  // not within a letter
  return text.substr(0, end) + "…";
}

std::string title(const std::string& first, const std::string& second) {
  return fmt::format("set title {}.\"\\n\".{} noenhanced\n", gnuplot_text(cut(first)),
                     gnuplot_text(second));
}

Axis::Axis(const std::vector<double>& values, double below, double above)
    : low{std::ranges::min(values)}, high{std::ranges::max(values)} {
  constexpr double kDecades = 100;
  is_logarithmic = low > 0 && high > kDecades * low;
  const auto scaled = [&](double value) { return is_logarithmic ? std::log(value) : value; };
  const double span = high > low ? scaled(high) - scaled(low) : std::max(1.0, std::abs(high));
  const double bottom = scaled(low) - below * span, top = scaled(high) + above * span;
  low = is_logarithmic ? std::exp(bottom) : bottom;
  high = is_logarithmic ? std::exp(top) : top;
}

std::string gnuplot_text(const std::string& text) {
  std::string quoted = "'";
  for (const char letter : replace_controls(text, [](const auto&) { return " "; })) {
    quoted += letter;
    if (letter == '\'') quoted += letter;
  }
  return quoted + "'";
}

std::vector<std::string> draw(const std::vector<Picture>& pictures, const fs::path& folder) {
  if (pictures.empty()) return {};
  const fs::path drawing = folder / ".drawing";
  make_folder(drawing);
  for (const auto& [name, script] : pictures) write_file(folder / (name + ".gp"), script);
  const auto gnuplot = find_program("gnuplot");
  std::vector<std::string> remarks;
  if (!gnuplot)
    remarks.emplace_back(
        "no pictures: there is no gnuplot here; where there is one, 'gnuplot *.gp' in figures/ "
        "draws them");
  for (const auto& [name, script] : pictures) {
    if (!gnuplot) break;
    const std::string file = name + ".png";
    std::string problem = run_gnuplot(*gnuplot, fs::absolute(folder) / (name + ".gp"), drawing);
    std::error_code failed;
    if (problem.empty()) fs::rename(drawing / file, folder / file, failed);
    if (failed) problem = failed.message();
    if (!problem.empty()) remarks.push_back(fmt::format("no figures/{}: {}", file, problem));
  }
  fs::remove_all(drawing);
  return remarks;
}

}  // namespace thimble
