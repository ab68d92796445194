#pragma once

/// Everything a searcher plugin needs.
#include <thimble/graph/transforms.hpp>
#include <thimble/plugin/registrar.hpp>
#include <thimble/search/searcher.hpp>
