#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <thimble/core/export.hpp>

namespace thimble {

/// A gnuplot script that holds its data and writes NAME.png where it runs.
struct Picture {
  std::string name;
  std::string script;
};

/// Writes NAME.gp and, with gnuplot, NAME.png for each into the folder; a picture is there whole
/// or not at all. Never throws for gnuplot's sake: says what is missing, one sentence each.
THIMBLE_EXPORT std::vector<std::string> draw(const std::vector<Picture>& pictures,
                                             const std::filesystem::path& folder);

/// A text as gnuplot reads it back, whatever is in it: in single quotes, where nothing is expanded.
THIMBLE_EXPORT std::string gnuplot_text(const std::string& text);

// Parts of scripts.

/// Okabe and Ito's, told apart by everybody.
inline constexpr const char* kColours[] = {"#0072b2", "#d55e00", "#009e73",
                                           "#cc79a7", "#e69f00", "#56b4e9"};

/// What every script begins with; the size is in pixels.
std::string head(const std::string& name, int width, int height);
/// A block of numbers called $name.
std::string block(const std::string& name, const std::vector<std::vector<double>>& rows);
/// As many letters as fit above a picture or beside an axis.
std::string cut(const std::string& text);
/// Two lines above the picture.
std::string title(const std::string& first, const std::string& second);

/// An axis for these values, with room for marks at its edges, in shares of the values' extent:
/// more where words stand beside or over marks.
struct Axis {
  static constexpr double kRoom = 0.08;
  bool is_logarithmic = false;
  double low = 0, high = 0;

  explicit Axis(const std::vector<double>& values, double below = kRoom, double above = kRoom);
};

}  // namespace thimble
