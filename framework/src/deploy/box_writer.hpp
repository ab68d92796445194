#pragma once

#include <string>

#include <thimble/deploy/int8_network.hpp>
#include "network_writer.hpp"

namespace thimble {

/// Adds to the C of a network with boxes how they are found: NAME_boxes(). `output` is the
/// expression for where its output lies.
void write_boxes(const Int8Network& network, const std::string& output, Parts& parts);

}  // namespace thimble
