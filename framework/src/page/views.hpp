#pragma once

#include <string>

#include <thimble/page/page_data.hpp>

/// The sections of a run's page, as HTML that can be read without the script; it adds to them.
/// Each is empty where a run has nothing to show of it.
namespace thimble {

/// One sentence for the top of the page, and for the index.
std::string headline(const PageData& data);

std::string verdict_view(const PageData& data);
std::string front_view(const PageData& data);
std::string matrix_view(const PageData& data);
std::string selection_view(const PageData& data);
std::string network_view(const PageData& data);
std::string memory_view(const PageData& data);
std::string agreement_view(const PageData& data);
std::string search_view(const PageData& data);
std::string training_view(const PageData& data);
std::string provenance_view(const PageData& data);

}  // namespace thimble
