#pragma once

#include <string>
#include <vector>

namespace thimble {

/// Rows of text with a header.
struct Table {
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;
};

}  // namespace thimble
