#pragma once

#include <string>

#include <thimble/page/page_data.hpp>

namespace thimble {

/// What the script of a run's page works on, as it stands in HTML.
std::string json_of_run(const PageData& data);

/// What the index compares: objectives and front of each run.
std::string json_of_fronts(const std::vector<PageData>& runs);

}  // namespace thimble
