#include <chrono>
#include <set>

#include <fmt/format.h>

#include <thimble/core/files.hpp>
#include <thimble/core/text.hpp>
#include <thimble/deploy/lower.hpp>
#include <thimble/deploy/profile.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/hardware/counted_rows.hpp>

#include "cli.hpp"

namespace thimble::cli {
namespace {

/// Spaces up to this size are looked at whole.
constexpr std::uint64_t kWholeSpace = 20'000;

/// Distinct operators, in the order in which they were first seen.
class Operators {
 public:
  void add(const OpShape& op) {
    if (known_.insert(to_string(op)).second) ops_.push_back(op);
  }

  void add(const Graph& graph) {
    if (!is_connected(graph)) return;
    const Int8Network network = skeleton(deployed(graph));
    for (const Int8Layer& layer : network.layers) add(op_shape(network, layer));
  }

  const std::vector<OpShape>& all() const { return ops_; }

 private:
  std::set<std::string> known_;
  std::vector<OpShape> ops_;
};

void add_space(Operators& operators, const SearchSpace& space, int networks) {
  const auto decisions = space.decisions();
  const auto size = space_size(decisions);
  if (networks == 0 && size && *size <= kWholeSpace) {
    for (std::uint64_t i = 0; i < *size; ++i) operators.add(space.build(genotype_at(decisions, i)));
    return;
  }
  constexpr int kByDefault = 1000;
  Random random = Random::stream(0, {"profile"});
  for (int i = 0; i < (networks > 0 ? networks : kByDefault); ++i)
    operators.add(space.build(random_genotype(decisions, random)));
}

std::vector<OpShape> asked_ops(const ProfileArguments& arguments, const World& world) {
  Operators operators;
  if (!arguments.ops_file.empty())
    for (const std::string& line : lines_of(arguments.ops_file)) operators.add(op_shape_of(line));
  if (!arguments.experiment.empty()) {
    const auto experiment =
        load_experiment(arguments.experiment, parse_overrides(arguments.overrides), world.loader);
    for (const Study& study : experiment.studies)
      add_space(operators, *study.space, arguments.networks);
  }
  if (operators.all().empty())
    throw InputError{"no operator to profile",
                     "give an experiment, whose search space has some, or --ops FILE"};
  return operators.all();
}

}  // namespace

int profile(const ProfileArguments& arguments, const World& world) {
  const Core core = parse_core(arguments.core);
  const auto ops = asked_ops(arguments, world);
  const auto start = std::chrono::steady_clock::now();
  const Profiler profiler{core};
  LatencyTable table;
  if (std::filesystem::exists(arguments.output)) table = read_latency_table(arguments.output);
  for (const OpRow& row : counted_rows(profiler, ops)) table.add(row);
  write_latency_table(arguments.output, table);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  fmt::print("{} operators counted in {:.1f} s ({})\n{}\n", ops.size(), seconds.count(),
             profiler.conditions(), arguments.output);
  return 0;
}

}  // namespace thimble::cli
