// Boxes of an int8 map: by hand, in whole numbers, and the generated C against the reference.

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <thimble/core/error.hpp>
#include <thimble/core/random.hpp>
#include <thimble/deploy/found_boxes.hpp>
#include <thimble/deploy/generate_c.hpp>
#include <thimble/deploy/lower.hpp>
#include <thimble/graph/graph.hpp>

#include "support/comparison.hpp"

namespace thimble {

/// Found by name lookup when a comparison fails.
void PrintTo(const FoundBox& box, std::ostream* out) {
  *out << fmt::format("class {} score {}: {} {} to {} {}", box.label, box.score, box.left, box.top,
                      box.right, box.bottom);
}

namespace found_boxes_test {
namespace {

/// A pointwise convolution on an image of 4 x 5 cells of 8 pixels.
Int8Network network_of(int classes, int anchors, std::uint64_t seed = 1) {
  const int numbers = 5 + (classes > 1 ? classes : 0);
  Graph graph;
  const NodeId x = graph.conv(graph.input({3, 32, 40}),
                              {.out = 8, .kernel = {8, 8}, .stride = {8, 8}, .bias = true});
  graph.set_output(graph.conv(x, {.out = anchors * numbers, .bias = true}));
  Int8Network network = lower(drawn_network(graph, seed));
  network.name = fmt::format("boxes_{}_{}_{}", classes, anchors, seed);
  BoxDecoder decoder{.anchors = {}, .classes = classes, .prior = -1, .least_score = 0.1};
  for (int i = 0; i < anchors; ++i) decoder.anchors.push_back({0.2 + 0.2 * i, 0.4});
  network.boxes = decoder;
  return network;
}

/// What nothing is seen in, and one cell with these real values, as near as they come.
std::vector<std::int8_t> map_of(const Int8Network& network, int row, int column,
                                const std::vector<double>& values) {
  const Int8Tensor& map = network.tensor(network.output);
  std::vector<std::int8_t> made(static_cast<std::size_t>(map.shape.elements()), -128);
  const auto first =
      static_cast<std::size_t>((row * map.shape.width + column) * map.shape.channels);
  for (std::size_t i = 0; i < values.size(); ++i)
    made[first + i] = static_cast<std::int8_t>(
        std::clamp(std::lround(values[i] / map.quantisation.scale) + map.quantisation.zero_point,
                   -128L, 127L));
  return made;
}

TEST(FoundBoxes, StandWhereTheyShould) {
  const Int8Network network = network_of(1, 1);
  const auto found = found_boxes(network, map_of(network, 1, 2, {0, 0, 0, 0, 3.5}));
  ASSERT_EQ(found.size(), 1);
  // The middle of the cell, as large as the anchor: 0.2 of 40 by 0.4 of 32 pixels, in sixteenths.
  EXPECT_NEAR(found[0].left, 16 * (20 - 4), 2);
  EXPECT_NEAR(found[0].right, 16 * (20 + 4), 2);
  EXPECT_NEAR(found[0].top, 16 * (12 - 6.4), 2);
  EXPECT_NEAR(found[0].bottom, 16 * (12 + 6.4), 2);
  EXPECT_NEAR(found[0].score, 32768 / (1 + std::exp(-2.5)), 200);
  EXPECT_EQ(found[0].label, 0);
}

TEST(FoundBoxes, EndAtTheBorder) {
  const Int8Network network = network_of(1, 1);
  const auto found = found_boxes(network, map_of(network, 0, 0, {-4, -4, 3.5, 3.5, 3.5}));
  ASSERT_EQ(found.size(), 1);
  EXPECT_EQ(found[0].left, 0);
  EXPECT_EQ(found[0].top, 0);
  EXPECT_LT(found[0].right, 16 * 40);
}

TEST(FoundBoxes, AreOfTheBestClass) {
  const Int8Network network = network_of(3, 1);
  const auto found = found_boxes(network, map_of(network, 3, 4, {0, 0, 0, 0, 3.5, -3, 1, 3}));
  ASSERT_EQ(found.size(), 1);
  EXPECT_EQ(found[0].label, 2);
  EXPECT_NEAR(found[0].score, 32768 / (1 + std::exp(-2.5)) / (1 + std::exp(-3)), 300);
}

/// Equal boxes in cells side by side, of which the first is left.
TEST(FoundBoxes, GiveWayToTheFirstOfEqualOnes) {
  Int8Network network = network_of(1, 1);
  const auto first = map_of(network, 1, 2, {1, 0, 0, 0, 3}),
             second = map_of(network, 1, 3, {-1, 0, 0, 0, 3});
  auto both = first;
  for (std::size_t i = 0; i < both.size(); ++i) both[i] = std::max(first[i], second[i]);
  network.boxes->most_overlap = 0.2;
  const auto found = found_boxes(network, both);
  ASSERT_EQ(found.size(), 1);
  EXPECT_EQ(found, found_boxes(network, first));
  network.boxes->most_overlap = 1;
  EXPECT_EQ(found_boxes(network, both).size(), 2);
}

TEST(FoundBoxes, AreSixtyFourAtMost) {
  Int8Network network = network_of(1, 5);  // 100 places
  network.boxes->most_overlap = 1;
  const std::vector<std::int8_t> all(
      static_cast<std::size_t>(network.tensor(network.output).shape.elements()), 127);
  EXPECT_EQ(found_boxes(network, all).size(), kMostBoxes);
}

TEST(FoundBoxes, RefuseAnotherMap) {
  Int8Network network = network_of(1, 2);
  network.boxes->anchors.pop_back();
  EXPECT_THROW(found_boxes(network, map_of(network, 0, 0, {})), Error);
  EXPECT_THROW(found_boxes(network_of(1, 2), std::vector<std::int8_t>(3)), Error);
}

// --- In C ---

std::string bytes_of(const std::vector<FoundBox>& boxes) {
  std::string text;
  for (const FoundBox& box : boxes)
    for (const std::int32_t number :
         {box.left, box.top, box.right, box.bottom, (box.label << 16) | box.score})
      text.append(reinterpret_cast<const char*>(&number), sizeof number);
  return text;
}

/// A program that reads maps and writes what is found in each: how many, and which.
std::string program_of(const Int8Network& network, std::size_t maps) {
  return fmt::format(
      "#include \"{0}.c\"\n#include <stdio.h>\n"
      "static int8_t map[{1}];\n"
      "int main(void) {{\n"
      "  FILE *in = fopen(\"maps\", \"rb\"), *out = fopen(\"found\", \"wb\");\n"
      "  for (int i = 0; i < {2}; ++i) {{\n"
      "    if (fread(map, 1, sizeof map, in) != sizeof map) return 1;\n"
      "    memcpy((int8_t *){0}_output(), map, sizeof map);\n"
      "    const struct thimble_box *boxes;\n"
      "    const int32_t count = {0}_boxes(&boxes);\n"
      "    fwrite(&count, sizeof count, 1, out);\n"
      "    fwrite(boxes, sizeof *boxes, (size_t)count, out);\n"
      "  }}\n"
      "  fclose(in);\n  return fclose(out);\n}}\n",
      network.name, network.tensor(network.output).shape.elements(), maps);
}

/// Of maps as networks give them, of few and of many boxes, and of nothing but noise.
TEST(FoundBoxes, AreTheSameInC) {
  constexpr std::size_t kMaps = 300;
  std::size_t all = 0;
  for (const auto& [classes, anchors] : {std::pair{1, 3}, std::pair{4, 2}, std::pair{2, 7}}) {
    const Int8Network network = network_of(classes, anchors, 3);
    Random random = Random::stream(1, {"maps"});
    std::string maps, expected;
    for (std::size_t i = 0; i < kMaps; ++i) {
      std::vector<std::int8_t> map(
          static_cast<std::size_t>(network.tensor(network.output).shape.elements()));
      const auto spread = static_cast<int>(1 + i % 128);
      for (std::int8_t& value : map)
        value = static_cast<std::int8_t>(
            static_cast<int>(random.below(static_cast<std::uint64_t>(2 * spread))) - spread);
      maps.append(reinterpret_cast<const char*>(map.data()), map.size());
      const auto found = found_boxes(network, map);
      const auto count = static_cast<std::int32_t>(found.size());
      expected.append(reinterpret_cast<const char*>(&count), sizeof count);
      expected += bytes_of(found);
      all += found.size();
    }
    const TemporaryFolder folder;
    const CSource c = generate_c(network);
    write_file(folder.path() / (network.name + ".h"), c.header);
    write_file(folder.path() / (network.name + ".c"), c.source);
    write_file(folder.path() / "main.c", program_of(network, kMaps));
    write_file(folder.path() / "maps", maps);
    const std::string compile = fmt::format(
        "cd '{}' && cc -std=c99 -pedantic -Wall -Wextra -Wconversion -Wno-sign-conversion -Werror "
        "-O1 {} main.c -o program && ./program",
        folder.path().string(), test::sanitizers());
    ASSERT_EQ(test::run_command(compile), 0) << compile;
    EXPECT_EQ(read_file(folder.path() / "found"), expected) << network.name;
  }
  EXPECT_GT(all, 3000);
}

TEST(FoundBoxes, AreCounted) {
  Int8Network network = network_of(1, 3);
  const std::int64_t with = generate_c(network).constant_bytes;
  network.boxes.reset();
  const CSource without = generate_c(network);
  EXPECT_EQ(with - without.constant_bytes, 2 * 256 * 2 + 3 * 8 + 12 * 4);
  EXPECT_EQ(without.source.find("box"), without.source.find("boxes_1_3_1"));
}

}  // namespace
}  // namespace found_boxes_test
}  // namespace thimble
