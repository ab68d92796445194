#pragma once

/// Everything a hardware plugin needs.
#include <thimble/graph/counts.hpp>
#include <thimble/hardware/hardware.hpp>
#include <thimble/plugin/registrar.hpp>
