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
  std::vector<TrainedFigure> figures;
  for (std::size_t column = 0; column < trained.header.size(); ++column) {
    if (!is_figure(trained.header[column].text)) continue;
    TrainedFigure figure{trained.header[column].text, {}};
    for (const auto& row : trained.rows)
      if (const auto value = parse_number(row[column].text);
          value && (!network || parse_integer(row[number].text) == network))
        figure.values.push_back(*value);
    if (!figure.values.empty()) figures.push_back(std::move(figure));
  }
  return figures;
}

}  // namespace thimble
