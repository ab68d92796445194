// Board files, and the hardware that is made of them.

#include <string>
#include <utility>
#include <vector>

#include <thimble/hardware.hpp>
#include <thimble/hardware/board.hpp>

#include "fuzz.hpp"

namespace {

using namespace thimble;

/// A small network with operators of several kinds.
const Graph& network() {
  static const Graph kNetwork = [] {
    Graph graph;
    const NodeId x = graph.input({3, 8, 8});
    const NodeId wide = graph.relu(graph.conv(x, {.out = 4, .kernel = {3, 3}, .padding = {1, 1}}));
    const NodeId deep =
        graph.conv(wide, {.out = 4, .kernel = {3, 3}, .padding = {1, 1}, .groups = 4});
    graph.set_output(graph.linear(graph.global_avg_pool(graph.add({{wide, deep}})), 2));
    return graph;
  }();
  return kNetwork;
}

/// What is made of the board; a look-up table of a row is read much sooner than those that are
/// shipped.
std::vector<std::pair<std::string, std::string>> hardware_of_board() {
  static const auto kTable = fuzz::file_of(
      "table.csv",
      "# thimble latency table 1\nop,target,kernels,compiler,flags,instructions,cycles,n,min,max,"
      "origin\nmean 4x8x8 -> 4x1x1,board,k,gcc,-O2,1000,,1,,,counted\n");
  const std::string board = "{board: " + (fuzz::folder() / "board.yaml").string();
  return {{"analytic", board + "}"},
          {"table", board + ", tables: [" + kTable.string() + "], on_miss: fit}"}};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  const bool is_board = fuzz::succeeds([&] {
    const Board board = board_from(parse_yaml(text, "board.yaml"), "board.yaml");
    board.target();
    board.programs_memory();
    if (board.counted) board.doubt_about("thimble");
  });
  if (!is_board) return 0;
  fuzz::file_of("board.yaml", text);
  for (const auto& [plugin, parameters] : hardware_of_board())
    fuzz::succeeds([&] { fuzz::make<Hardware>(plugin, parameters)->cost(network()); });
  return 0;
}
