#include "pictures.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include <thimble/core/text.hpp>
#include <thimble/search/cost_metrics.hpp>

#include "html.hpp"

namespace thimble {
namespace {

using Metric = PageData::Metric;

/// From a metric's numbers to a place in the picture.
struct Scale {
  double low = 0, high = 1, from = 0, to = 1;
  bool is_logarithmic = false;

  /// As wide as the values, with room for marks at both ends.
  Scale(const std::vector<double>& values, double begin, double end) : from{begin}, to{end} {
    if (values.empty()) return;
    const auto [least, most] = std::ranges::minmax(values);
    is_logarithmic = least > 0 && most > 100 * least;
    low = at(least);
    high = at(most);
    const double room = high > low ? 0.04 * (high - low) : std::max(std::abs(high), 1.0) * 0.05;
    low -= room;
    high += room;
  }

  double at(double value) const { return is_logarithmic ? std::log10(value) : value; }
  double operator()(double value) const {
    return from + (at(value) - low) / (high - low) * (to - from);
  }
  /// Numbers between the ends that are round in the unit that is shown.
  std::vector<double> ticks(double unit) const {
    std::vector<double> marks;
    if (is_logarithmic) {
      const double shift = std::log10(unit);
      for (double power = std::ceil(low - shift); power <= high - shift; ++power)
        marks.push_back(unit * std::pow(10, power));
      if (marks.size() > 1) return marks;
      return {std::pow(10, low + 0.1 * (high - low)), std::pow(10, high - 0.1 * (high - low))};
    }
    const double rough = (high - low) / unit / 5;
    const double ten = std::pow(10, std::floor(std::log10(rough)));
    double step = 10 * ten * unit;
    for (const double factor : {5.0, 2.0, 1.0})
      if (factor * ten >= rough) step = factor * ten * unit;
    for (double mark = std::ceil(low / step); mark * step <= high; ++mark)
      marks.push_back(mark * step + 0.0);  // which makes -0 a 0
    return marks;
  }
};

struct Pair {
  const Metric* x = nullptr;
  const Metric* y = nullptr;
};

/// The first objective that is a cost, else the first, against the first other one.
Pair axes_of(const PageData& data) {
  Pair pair;
  for (const Metric& metric : data.metrics)
    if (metric.is_objective && is_cost_metric(metric.name) && pair.x == nullptr) pair.x = &metric;
  for (const Metric& metric : data.metrics) {
    if (!metric.is_objective) continue;
    if (pair.x == nullptr)
      pair.x = &metric;
    else if (&metric != pair.x && pair.y == nullptr)
      pair.y = &metric;
  }
  return pair;
}

bool has_both(const Pair& pair, std::size_t place) {
  return std::isfinite(pair.x->values[place]) && std::isfinite(pair.y->values[place]);
}

std::vector<double> known(const Pair& pair, const Metric& metric) {
  std::vector<double> values;
  for (std::size_t i = 0; i < metric.values.size(); ++i)
    if (has_both(pair, i)) values.push_back(metric.values[i]);
  return values;
}

/// Dots as one path: a place takes a dozen letters.
std::string dots(const Pair& pair, const Scale& x, const Scale& y,
                 const std::vector<std::size_t>& places, const std::string& kind) {
  std::string path;
  for (const std::size_t place : places)
    if (has_both(pair, place))
      path += fmt::format("M{:.0f} {:.0f}h0", x(pair.x->values[place]), y(pair.y->values[place]));
  return path.empty() ? "" : fmt::format("<path class=\"dots {}\" d=\"{}\"/>\n", kind, path);
}

std::string axis_marks(const Metric& metric, const Scale& scale, bool is_x, double across) {
  const Unit unit = unit_of(metric.name);
  std::string svg;
  for (const double mark : scale.ticks(unit.factor)) {
    const double place = scale(mark);
    const std::string text = escaped(few_digits(mark / unit.factor));
    svg += is_x ? fmt::format(
                      "<path class=\"grid\" d=\"M{0:.0f} 20V{1:.0f}\"/><text x=\"{0:.0f}\" "
                      "y=\"{2:.0f}\" text-anchor=\"middle\">{3}</text>\n",
                      place, across, across + 16, text)
                : fmt::format(
                      "<path class=\"grid\" d=\"M{1:.0f} {0:.0f}H620\"/><text x=\"{2:.0f}\" "
                      "y=\"{3:.0f}\" text-anchor=\"end\">{4}</text>\n",
                      place, across, across - 6, place + 4, text);
  }
  return svg;
}

std::string axis_name(const Metric& metric) {
  const Unit unit = unit_of(metric.name);
  std::string text = unit.label + (unit.symbol.empty() ? "" : " (" + unit.symbol + ")");
  if (metric.direction)
    text += *metric.direction == Direction::minimize ? ", less is better" : ", more is better";
  return escaped(text);
}

/// At most so many, spread over all.
std::vector<std::size_t> some_places(std::size_t count, std::size_t most) {
  std::vector<std::size_t> places(count);
  std::iota(places.begin(), places.end(), std::size_t{0});
  const std::size_t step = (count + most - 1) / std::max<std::size_t>(most, 1);
  if (step > 1) std::erase_if(places, [step](std::size_t place) { return place % step != 0; });
  return places;
}

std::string marked(const PageData& data, const Pair& pair, const Scale& x, const Scale& y) {
  std::string svg;
  for (const PageData::Point& point : data.points)
    for (const std::size_t place : point.chosen)
      if (has_both(pair, place))
        svg += fmt::format(
            "<circle class=\"chosen\" cx=\"{0:.0f}\" cy=\"{1:.0f}\" r=\"7\"/><text x=\"{2:.0f}\" "
            "y=\"{3:.0f}\">{4}</text>\n",
            x(pair.x->values[place]), y(pair.y->values[place]), x(pair.x->values[place]) + 9,
            y(pair.y->values[place]) - 6, data.number[place]);
  return svg;
}

/// Text that would run out of its column.
std::string shortened(const std::string& text, std::size_t most) {
  if (text.size() <= most) return escaped(text);
  std::size_t begin = text.size() - most + 1;
  while (begin < text.size() && (static_cast<unsigned char>(text[begin]) & 0xc0U) == 0x80) ++begin;
  return "…" + escaped(text.substr(begin));
}

constexpr double kRowHeight = 18;

/// From what is read to who reads it, further to the left the farther they are apart.
std::string arcs(const NetworkPlan& plan) {
  std::string svg;
  for (std::size_t i = 0; i < plan.layers.size(); ++i)
    for (const int input : plan.layers[i].inputs) {
      const double from = 30 + kRowHeight * input,
                   to = 30 + kRowHeight * static_cast<double>(i + 1);
      const double bend = std::min(64.0, 6 * (to - from) / kRowHeight);
      svg += to - from <= kRowHeight
                 ? fmt::format("<path class=\"edge\" d=\"M80 {:.0f}V{:.0f}\"/>", from, to)
                 : fmt::format(
                       "<path class=\"edge\" d=\"M80 {0:.0f}C{1:.0f} {0:.0f} {1:.0f} "
                       "{2:.0f} 80 {2:.0f}\"/>",
                       from, 80 - bend, to);
    }
  return svg + "\n";
}

double latency_of(const NetworkPlan& plan) {
  double sum = 0;
  for (const NetworkPlan::Layer& layer : plan.layers) sum += layer.latency_ms;
  return sum;
}

std::string layer_row(const NetworkPlan::Layer& layer, double y, double latency, double macs) {
  const double time = latency > 0 ? layer.latency_ms / latency : 0;
  const double work = macs > 0 ? static_cast<double>(layer.macs) / macs : 0;
  return fmt::format(
      "<circle class=\"node\" cx=\"80\" cy=\"{0:.0f}\" r=\"4\"/><text x=\"92\" y=\"{1:.0f}\">{2}"
      "</text><text class=\"dim\" x=\"330\" y=\"{1:.0f}\">{3}</text><text class=\"dim\" x=\"470\" "
      "y=\"{1:.0f}\">{4}</text><rect class=\"time\" x=\"560\" y=\"{5:.0f}\" width=\"{6:.1f}\" "
      "height=\"5\"/><rect class=\"work\" x=\"560\" y=\"{7:.0f}\" width=\"{8:.1f}\" "
      "height=\"5\"/>\n",
      y, y + 4, shortened(layer.name, 32), escaped(layer.kernel), to_string(layer.shape), y - 6,
      140 * time, y + 1, 140 * work);
}

}  // namespace

std::string layer_text(const NetworkPlan::Layer& layer) {
  return layer.name + " (" + layer.kernel + ")";
}

std::string front_picture(const PageData& data) {
  const Pair pair = axes_of(data);
  if (pair.y == nullptr) return "";
  const auto xs = known(pair, *pair.x), ys = known(pair, *pair.y);
  if (xs.empty()) return "";
  constexpr std::size_t kMostDots = 2000;
  const Scale x{xs, 60, 620}, y{ys, 360, 20};
  std::string svg = fmt::format(
      "<svg class=\"front\" viewBox=\"0 0 640 410\" role=\"img\" aria-label=\"{} against {}\">\n",
      axis_name(*pair.y), axis_name(*pair.x));
  svg += axis_marks(*pair.x, x, true, 360) + axis_marks(*pair.y, y, false, 60);
  svg += dots(pair, x, y, some_places(data.arch.size(), kMostDots), "all");
  for (std::size_t i = 0; i < data.points.size(); ++i)
    svg += dots(pair, x, y, data.points[i].front, fmt::format("front series{}", i % 6));
  svg += marked(data, pair, x, y);
  return svg + fmt::format(
                   "<text x=\"340\" y=\"402\" text-anchor=\"middle\">{}</text><text x=\"60\" "
                   "y=\"12\">{}</text></svg>\n",
                   axis_name(*pair.x), axis_name(*pair.y));
}

std::string front_thumbnail(const PageData& data) {
  const Pair pair = axes_of(data);
  std::vector<std::size_t> places;
  for (const PageData::Point& point : data.points)
    places.insert(places.end(), point.front.begin(), point.front.end());
  if (pair.y == nullptr || places.empty()) return "";
  const Scale x{known(pair, *pair.x), 4, 116}, y{known(pair, *pair.y), 56, 4};
  return fmt::format(
      "<svg class=\"thumbnail\" viewBox=\"0 0 120 60\" role=\"img\" aria-label=\"its front: {} "
      "against {}\">{}{}</svg>",
      axis_name(*pair.y), axis_name(*pair.x),
      dots(pair, x, y, some_places(data.arch.size(), 300), "all"),
      dots(pair, x, y, places, "front series0"));
}

std::string network_picture(const NetworkPlan& plan, const std::string& name) {
  double macs = 0;
  for (const NetworkPlan::Layer& layer : plan.layers) macs += static_cast<double>(layer.macs);
  const double latency = latency_of(plan);
  std::string svg = fmt::format(
      "<svg class=\"network\" viewBox=\"0 0 710 {:.0f}\" role=\"img\" aria-label=\"Layers of "
      "{}\">\n"
      "<text class=\"dim\" x=\"520\" y=\"12\"><tspan class=\"time\">■</tspan> share of latency "
      "<tspan class=\"work\">■</tspan> of MACs</text>\n",
      40 + kRowHeight * static_cast<double>(plan.layers.size()), escaped(name));
  svg += arcs(plan) + fmt::format(
                          "<circle class=\"node\" cx=\"80\" cy=\"30\" r=\"4\"/><text "
                          "x=\"92\" y=\"34\">input</text><text class=\"dim\" x=\"470\" "
                          "y=\"34\">{}</text>\n",
                          to_string(plan.input));
  for (std::size_t i = 0; i < plan.layers.size(); ++i)
    svg += layer_row(plan.layers[i], 30 + kRowHeight * static_cast<double>(i + 1), latency, macs);
  return svg + "</svg>\n";
}

std::string memory_picture(const NetworkPlan& plan, const std::string& name) {
  const double steps = static_cast<double>(plan.layers.size());
  const double most = static_cast<double>(std::max<std::int64_t>(plan.arena_bytes, 1));
  const auto x = [&](double step) { return 60 + 640 * step / std::max(steps, 1.0); };
  const auto y = [&](std::int64_t bytes) { return 260 - 240 * static_cast<double>(bytes) / most; };
  std::string svg = fmt::format(
      "<svg class=\"memory\" viewBox=\"0 0 710 290\" role=\"img\" aria-label=\"Arena of {}\">\n",
      escaped(name));
  for (const auto& [tensor, first, last, offset, bytes] : plan.blocks)
    svg += fmt::format(
        "<rect class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" "
        "height=\"{:.1f}\"/>\n",
        tensor < 0        ? "scratch"
        : tensor % 2 == 0 ? "tensor"
                          : "tensor other",
        x(first), y(offset + bytes), x(last + 1) - x(first), y(offset) - y(offset + bytes));
  const auto add_level = [&](std::int64_t bytes, const char* kind, double below) {
    svg += fmt::format(
        "<path class=\"{1}\" d=\"M60 {0:.1f}H700\"/><text x=\"56\" y=\"{2:.1f}\" "
        "text-anchor=\"end\">{3}</text>\n",
        y(bytes), kind, y(bytes) + below, few_digits(static_cast<double>(bytes) / 1024));
  };
  add_level(plan.arena_bytes, "arena", 0);
  if (plan.lower_bound_bytes < plan.arena_bytes) add_level(plan.lower_bound_bytes, "bound", 12);
  svg += fmt::format("<path class=\"peak\" d=\"M{0:.1f} 20V260H{1:.1f}V20\"/>\n",
                     x(static_cast<double>(plan.peak_layer)),
                     x(static_cast<double>(plan.peak_layer) + 1));
  return svg + fmt::format(
                   "<path class=\"axis\" d=\"M60 20V260H700\"/><text x=\"60\" y=\"12\">KiB"
                   "</text><text x=\"380\" y=\"280\" text-anchor=\"middle\">layers 1 to "
                   "{}, in the order in which they run</text></svg>\n",
                   plan.layers.size());
}

}  // namespace thimble
