#pragma once

#include <array>
#include <vector>

#include "layers.hpp"

namespace superblocks {

constexpr int kGroups = 4;

/// One group of superblocks as published: what the search starts from.
struct Group {
  int width = 0;  ///< what the baseline makes of it is its own affair: filters, mostly
  int depth = 1;  ///< superblocks, 1 to 5
  int kernel = 3;
  int stride = 1;  ///< of the first superblock; the others have 1
};

enum class Data { images, series };

/// A family of networks: stem, four groups of superblocks, classifier. With the groups as they
/// stand here it is the published network.
struct Baseline {
  const char* name;
  Data data;
  NodeId (*stem)(Layers&, NodeId input);
  NodeId (*superblock)(Layers&, NodeId x, const Block&);
  NodeId (*head)(Layers&, NodeId x);  ///< down to the class scores
  std::array<Group, kGroups> groups;
};

extern const Baseline kMobileNetV2;
extern const Baseline kResNet18;
extern const Baseline kSqueezeNet;
extern const Baseline kMbedNet;
extern const Baseline kMobileNetV1;
extern const Baseline kEfficientNetLite0;
extern const Baseline kInceptionTime;
extern const Baseline kMbedNet1d;
extern const Baseline kCnn1d;

/// All there are. A new one is a file of its own and an entry here.
inline const std::vector<const Baseline*>& all_baselines() {
  static const std::vector<const Baseline*> kAll{
      &kMobileNetV2,       &kResNet18,      &kSqueezeNet, &kMbedNet, &kMobileNetV1,
      &kEfficientNetLite0, &kInceptionTime, &kMbedNet1d,  &kCnn1d};
  return kAll;
}

}  // namespace superblocks
