#pragma once

/// Everything a search-space plugin needs.
#include <thimble/plugin/registrar.hpp>
#include <thimble/space/search_space.hpp>
