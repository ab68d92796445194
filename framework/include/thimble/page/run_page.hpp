#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/page/page_data.hpp>

namespace thimble {

/// The page to decide by: one HTML file that needs nothing else. Equal runs give equal pages but
/// for what stands between "<!-- this run -->" and "<!-- end of this run -->".
THIMBLE_EXPORT std::string run_page(const PageData& data);

/// In a run's folder.
inline constexpr const char* kPageFile = "report.html";

/// Writes it into the folder of a complete run, of what lies there; returns the
/// file. `studies`: see page_data().
THIMBLE_EXPORT std::filesystem::path write_page(const std::filesystem::path& run,
                                                std::span<const Study> studies,
                                                const std::string& why_not = "");

/// The page over several runs, which compares their fronts. Links are relative to `folder`, which
/// it is to lie in.
THIMBLE_EXPORT std::string index_page(const std::vector<PageData>& runs,
                                      const std::filesystem::path& folder);

/// Why pages of this installation have no views that a hand can change, or nothing.
THIMBLE_EXPORT std::string what_pages_lack();

}  // namespace thimble
