#include <thimble/hardware/figure_bounds.hpp>

#include <fmt/format.h>

#include <thimble/core/text.hpp>

namespace thimble {
namespace {

template <class Number>
std::optional<Number> bounded(const std::optional<Number>& number, const CsvCell& cell,
                              const std::string& column, const char* kind, const Bounds& bounds,
                              Diagnostics& problems) {
  if (number && bounds.contain(static_cast<double>(*number))) return number;
  problems.error(cell.where, fmt::format("'{}' is {}, must be {} in {}", column,
                                         in_quotes(cell.text), kind, bounds.text()));
  return std::nullopt;
}

}  // namespace

std::string Bounds::text() const { return fmt::format("[{:.15g}, {:.15g}]", least, most); }

std::optional<double> bounded_number(const CsvCell& cell, const std::string& column,
                                     const Bounds& bounds, Diagnostics& problems) {
  return bounded(parse_number(cell.text), cell, column, "a number", bounds, problems);
}

std::optional<std::int64_t> bounded_integer(const CsvCell& cell, const std::string& column,
                                            const Bounds& bounds, Diagnostics& problems) {
  return bounded(parse_integer(cell.text), cell, column, "an integer", bounds, problems);
}

}  // namespace thimble
