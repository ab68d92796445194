#pragma once

#include <string>

#include <thimble/page/page_data.hpp>

/// SVG that needs no script. Colours are the page's style sheet's.
namespace thimble {

/// The front between two objectives, or nothing where there are fewer.
std::string front_picture(const PageData& data);
/// Only of the run's front, small: for the index.
std::string front_thumbnail(const PageData& data);
/// Layers from top to bottom, with arcs for what is read later, and bars of latency and MACs.
std::string network_picture(const NetworkPlan& plan, const std::string& name);
/// What lies where in the arena, step by step.
std::string memory_picture(const NetworkPlan& plan, const std::string& name);

/// A layer as people call it: "cell0/conv (conv 3x3)".
std::string layer_text(const NetworkPlan::Layer& layer);

}  // namespace thimble
