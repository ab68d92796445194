#pragma once

#include <string_view>

namespace thimble {

/// What report/ holds, as it was when thimble was built.
extern const std::string_view kPageStyle;
/// Empty where it was built without npm.
extern const std::string_view kPageScript;
/// Of the script, as content security policies name it.
extern const std::string_view kPageScriptHash;

}  // namespace thimble
