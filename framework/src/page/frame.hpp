#pragma once

#include <string>

namespace thimble {

/// A whole HTML file around the content of its body. `kind` is what the script goes by; `data` is
/// JSON that may stand in HTML.
std::string page_frame(const std::string& kind, const std::string& title, const std::string& body,
                       const std::string& data);

}  // namespace thimble
