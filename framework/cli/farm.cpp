// `thimble farm status RUN`: how far the parts of a run are.

#include <fmt/format.h>

#include <thimble/core/error.hpp>
#include <thimble/core/text.hpp>
#include <thimble/farm/farm.hpp>
#include <thimble/report/tables.hpp>

#include "cli.hpp"

namespace thimble::cli {
namespace {

std::string state_text(const PartState& state) {
  if (state.is_done) return "done";
  if (state.workers == 0) return "no worker yet";
  return state.trouble.empty() ? "under way" : state.trouble;
}

}  // namespace

int farm(const FarmArguments& arguments) {
  const auto states = states_of_parts(arguments.run);
  if (states.empty())
    throw InputError{Diagnostic{{arguments.run},
                                "no run with parts: there is nothing in farm/parts",
                                "name the folder of a run that --engine had computed"}};
  Table table{{"part", "state", "values", "epochs", "workers", "node"}, {}};
  std::int64_t done = 0;
  for (const PartState& state : states) {
    done += state.is_done ? 1 : 0;
    table.rows.push_back({state.part, state_text(state), std::to_string(state.values),
                          std::to_string(state.epochs), std::to_string(state.workers), state.node});
  }
  fmt::print("{}\n{} of {} done", to_markdown(table), done, count_text(std::ssize(states), "part"));
  if (const auto ids = submitted_arrays(arguments.run); !ids.empty())
    fmt::print("; the last array is {}", ids.back());
  fmt::print("\n");
  return 0;
}

}  // namespace thimble::cli
