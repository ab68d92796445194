#pragma once

#include <string>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/core/table.hpp>

namespace thimble {

/// "92.31 ± 0.42", to as many places as are worth reading; "-" for nothing.
THIMBLE_EXPORT std::string mean_text(const std::vector<double>& values);
/// A number in full; nothing for what is none.
THIMBLE_EXPORT std::string number_or_nothing(double value);
THIMBLE_EXPORT std::string to_markdown(const Table& table);
THIMBLE_EXPORT std::string to_csv(const Table& table);

}  // namespace thimble
