#include "trained_figures.hpp"

#include <algorithm>
#include <cmath>

#include <thimble/core/text.hpp>

namespace thimble {
namespace {

bool is_figure(const std::string& column) {
  constexpr const char* kForms[] = {"float_", "narrow_", "pruned_", "int8_"};
  return std::ranges::any_of(kForms, [&](const char* form) { return column.starts_with(form); });
}

}  // namespace

std::vector<TrainedFigure> trained_figures(const CsvTable& trained,
                                           std::optional<std::int64_t> network) {
  const std::size_t number = trained.column("network");
  const auto dataset = trained.find("dataset");  // where there are several
  std::vector<TrainedFigure> figures;
  for (std::size_t column = 0; column < trained.header.size(); ++column) {
    if (!is_figure(trained.header[column].text)) continue;
    for (const auto& row : trained.rows) {
      const auto value = parse_number(row[column].text);
      if (!value || (network && parse_integer(row[number].text) != network)) continue;
      const std::string on = dataset ? " on " + row[*dataset].text : "";
      const std::string name = trained.header[column].text + on;
      auto figure = std::ranges::find(figures, name, &TrainedFigure::name);
      if (figure == figures.end()) figure = figures.insert(figure, {name, {}});
      figure->values.push_back(*value);
    }
  }
  return figures;
}

}  // namespace thimble
