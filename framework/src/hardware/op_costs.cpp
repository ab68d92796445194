#include <thimble/hardware/op_costs.hpp>

#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/format.h>

#include <thimble/core/text.hpp>
#include <thimble/deploy/generate_c.hpp>
#include <thimble/hardware/counted_rows.hpp>

namespace thimble {
namespace {

/// What measuring the same operator another day shows, at least.
constexpr double kRepeatability = 0.01;
/// Bias, multiplier and shift of a channel.
constexpr std::int64_t kBytesAChannel = 12;

double spread(const OpRow& row) {
  const double figure = row.figure();
  const double above = row.most.value_or(figure) - figure;
  const double below = figure - row.least.value_or(figure);
  return std::max(above, below) / figure;
}

std::int64_t estimated_constant_bytes(const OpShape& op) {
  const std::int64_t bytes = weights(op);
  return bytes > 0 ? bytes + kBytesAChannel * op.output.channels : 0;
}

void require_one_build(const std::vector<const OpRow*>& rows) {
  std::set<std::string> builds;
  for (const OpRow* const row : rows) builds.insert(row->build());
  if (builds.size() > 1)
    throw InputError{
        "the tables have rows of several builds: " + join({builds.begin(), builds.end()}),
        "name the kernels to take, or take tables of one compiler and its flags"};
}

}  // namespace

/// The operators of one kind that a table has.
struct OpCosts::Samples {
  std::vector<std::vector<double>> features;
  std::vector<double> cycles;
  double errors = 0;
  Origin origin = Origin::fitted;
  std::map<std::string, std::int64_t> code_bytes;

  void add(const OpShape& op, const KnownOp& known) {
    features.push_back(features_of(op));
    cycles.push_back(known.cycles.value);
    errors += known.cycles.relative_error;
    origin = std::max(origin, known.cycles.origin);
    code_bytes = known.code_bytes;
  }

  KindFit fit() const {
    KindFit made;
    try {
      made.fit = fit_relative(features, cycles);
      made.rows_error = errors / static_cast<double>(cycles.size());
      made.origin = origin;
      made.code_bytes = code_bytes;
    } catch (const InputError& too_few) {
      made.problem = too_few.diagnostics().front().message;
    }
    return made;
  }
};

const std::vector<std::pair<std::string, OnMiss>>& names_of(OnMiss) {
  static const std::vector<std::pair<std::string, OnMiss>> kNames{
      {"profile", OnMiss::profile}, {"fit", OnMiss::fit}, {"refuse", OnMiss::refuse}};
  return kNames;
}

std::size_t OpCosts::Hash::operator()(const OpShape& op) const noexcept {
  std::uint64_t hash = static_cast<std::uint64_t>(op.kernel);
  const auto mix = [&hash](int a, int b, int c) {
    const auto bits = [](int x) {
      return static_cast<std::uint64_t>(static_cast<std::uint32_t>(x));
    };
    hash = (hash ^ (bits(a) | bits(b) << 21 | bits(c) << 42)) * 0x9e3779b97f4a7c15U;
    hash ^= hash >> 29;
  };
  for (const Shape& shape : op.inputs) mix(shape.channels, shape.height, shape.width);
  mix(op.output.channels, op.output.height, op.output.width);
  mix(op.window.height, op.window.width, op.groups);
  mix(op.stride.height, op.stride.width, op.padding.height);
  mix(op.padding.width, op.has_relu ? 1 : 0, 0);
  return static_cast<std::size_t>(hash);
}

OpCosts::OpCosts(Board board, const LatencyTable& table, OpCostsOptions options)
    : board_{std::move(board)}, options_{std::move(options)} {
  if (!board_.counted)
    throw InputError{
        board_.name + " has no cycles an instruction: its board file has no 'counted:'",
        "take another board, or calibrate it: thimble calibrate"};
  take(table);
  if (options_.cache) take_cache();
}

OpCosts::~OpCosts() = default;

bool OpCosts::is_wanted(const OpRow& row) const {
  return options_.kernels.empty() || row.kernels == options_.kernels;
}

bool OpCosts::is_of_board(const OpRow& row) const { return row.cycles && row.target == board_.id; }

bool OpCosts::is_of_core(const OpRow& row) const {
  return row.instructions && row.target == board_.core && !is_of_board(row);
}

/// With one build, and one setup of the board and one of the core, an operator has one row of each:
/// which of several under the same conditions it is, LatencyTable has decided.
void OpCosts::take(const LatencyTable& table) {
  std::vector<const OpRow*> of_board, of_core;
  for (const OpRow* const row : table.rows()) {
    if (!is_wanted(*row)) continue;
    if (is_of_board(*row)) of_board.push_back(row);
    if (is_of_core(*row)) of_core.push_back(row);
  }
  require_one_setup(of_board);
  require_one_setup(of_core);
  std::vector<const OpRow*> usable = of_board;
  usable.insert(usable.end(), of_core.begin(), of_core.end());
  std::ranges::stable_sort(usable, {}, &OpRow::origin);
  require_one_build(usable);
  if (!usable.empty()) example_ = *usable.front();
  std::map<Kernel, Samples> samples;
  for (const OpRow* const row : usable) {
    const auto [place, is_new] = known_.try_emplace(row->op, known(*row));
    code_bytes_.insert(row->code_bytes.begin(), row->code_bytes.end());
    if (is_new) samples[row->op.kernel].add(row->op, place->second);
  }
  if (options_.on_miss != OnMiss::fit) return;
  for (const Kernel kernel : kKernels) fits_[kernel] = samples[kernel].fit();
}

/// Only what the table lacks is looked up there: results must not depend on what was counted
/// before.
void OpCosts::take_cache() {
  const LatencyTable cache =
      options_.cache->read([this](const std::string& line) { warn_once(line); });
  for (const OpRow* const row : cache.rows())
    if (is_wanted(*row) && is_of_core(*row)) cached_.emplace(row->op, *row);
}

/// Tables are shipped and shared, so that compilers differ between machines, by a few per cent.
void OpCosts::require_like_table(const OpRow& row) const {
  if (!example_ || row.build() == example_->build()) return;
  const std::string builds = example_->build() + " in the tables, " + row.build() + " counted now";
  if (row.kernels != example_->kernels || row.flags != example_->flags)
    throw InputError{"operators would be of several builds: " + builds,
                     "take other tables, or let on_miss be 'fit' or 'refuse'"};
  warn_once("operators are of two compilers: " + builds + "; they differ by a few per cent");
}

/// Rows that were counted serve this run even when no other will have them.
void OpCosts::keep(std::span<const OpRow> rows) const {
  try {
    options_.cache->add(rows, [this](const std::string& line) { warn_once(line); });
  } catch (const Error& error) {
    warn_once("counted operators are not kept for the next run: " +
              error.diagnostics().front().message);
  }
}

void OpCosts::warn_once(const std::string& line) const {
  if (warnings_.insert(line).second) options_.warn(line);
}

KnownOp OpCosts::known(const OpRow& row) const {
  KnownOp made;
  if (is_of_board(row)) {
    made.cycles = {*row.cycles, std::max(spread(row), kRepeatability), row.origin};
  } else {
    const CyclesPerInstruction cpi = board_.cpi_for(row.op.kernel, row.kernels);
    made.cycles = {*row.instructions * cpi.value, std::hypot(cpi.relative_error, spread(row)),
                   std::max(row.origin, cpi.origin)};
  }
  made.is_constant_exact = row.constant_bytes.has_value();
  made.constant_bytes = row.constant_bytes.value_or(estimated_constant_bytes(row.op));
  made.code_bytes = row.code_bytes;
  return made;
}

std::vector<const KnownOp*> OpCosts::of(const Int8Network& network) const {
  std::vector<const KnownOp*> found;
  if (const auto missing = look_up(network, found); !missing.empty()) {
    fill(missing);
    if (const auto lost = look_up(network, found); !lost.empty())
      throw Error{in_quotes(to_string(lost.front())) + " was asked to be counted, and was not"};
  }
  return found;
}

std::string OpCosts::kernels() const {
  if (example_) return example_->kernels;
  return options_.kernels.empty() ? own_kernels() : options_.kernels;
}

std::size_t OpCosts::size() const {
  const std::shared_lock lock{mutex_};
  return known_.size();
}

/// Returns what is not there.
std::vector<OpShape> OpCosts::look_up(const Int8Network& network,
                                      std::vector<const KnownOp*>& found) const {
  std::vector<OpShape> missing;
  found.clear();
  found.reserve(network.layers.size());
  const std::shared_lock lock{mutex_};
  for (const Int8Layer& layer : network.layers) {
    OpShape op = op_shape(network, layer);
    if (const auto place = known_.find(op); place != known_.end())
      found.push_back(&place->second);
    else if (std::ranges::find(missing, op) == missing.end())
      missing.push_back(std::move(op));
  }
  return missing;
}

void OpCosts::fill(const std::vector<OpShape>& missing) const {
  const std::scoped_lock filling{filling_};
  std::vector<OpShape> still_missing;  // another thread may have been faster
  for (const OpShape& op : missing)
    if (!known_.contains(op)) still_missing.push_back(op);
  Known made;
  if (options_.on_miss == OnMiss::profile && options_.count) {
    made = profiled(still_missing);
  } else {
    for (const OpShape& op : still_missing)
      made.emplace(op, options_.on_miss == OnMiss::fit ? fitted(op) : refused(op, why_uncounted()));
  }
  const std::unique_lock lock{mutex_};
  known_.merge(made);
}

std::string OpCosts::why_uncounted() const {
  if (options_.on_miss != OnMiss::profile) return "and on_miss is 'refuse'";
  return options_.kernels.empty() || options_.kernels == own_kernels()
             ? "and there is no emulator to count it in"
             : "and only thimble's own kernels can be counted, not " + in_quotes(options_.kernels);
}

OpCosts::Known OpCosts::profiled(const std::vector<OpShape>& missing) const {
  Known made;
  std::vector<OpShape> uncounted;
  CountedRows counted;
  for (const OpShape& op : missing)
    if (!cached_.contains(op)) uncounted.push_back(op);
  if (!uncounted.empty()) counted = options_.count(uncounted);
  if (options_.cache && !counted.rows.empty()) keep(counted.rows);
  for (const OpShape& op : missing)
    if (const auto cached = cached_.find(op); cached != cached_.end())
      counted.rows.push_back(cached->second);
  for (const OpRow& row : counted.rows) {
    require_like_table(row);
    made.emplace(row.op, known(row));
  }
  for (const OpShape& op : counted.too_large)
    made.emplace(op,
                 refused(op, "and it is too large to be counted on the emulated " + board_.core));
  return made;
}

KnownOp OpCosts::fitted(const OpShape& op) const {
  const KindFit& kind = fits_.at(op.kernel);
  if (!kind.problem.empty()) return refused(op, "and " + kind.problem);
  const double cycles = kind.fit.predict(features_of(op));
  if (!(cycles > 0)) return refused(op, "and a fit to its kind gives no positive cycles");
  KnownOp made;
  made.cycles = {cycles, std::hypot(kind.rows_error, kind.fit.p95_error), kind.origin};
  made.constant_bytes = estimated_constant_bytes(op);
  made.code_bytes = kind.code_bytes;
  if (options_.kernels == own_kernels()) take_from_source(op, made);
  return made;
}

/// Its latency may be a guess; what the generated source holds of an operator is not.
void OpCosts::take_from_source(const OpShape& op, KnownOp& known) const {
  const auto [bytes, kernels] = op_parts(op);
  known.constant_bytes = bytes;
  known.code_bytes.clear();
  for (const std::string& kernel : kernels)
    if (const auto code = code_bytes_.find(kernel); code != code_bytes_.end())
      known.code_bytes.insert(*code);
  known.is_constant_exact = known.code_bytes.size() == kernels.size();
}

KnownOp OpCosts::refused(const OpShape& op, const std::string& why) const {
  KnownOp made;
  made.unsupported =
      fmt::format("no table has {} for {}, {}", in_quotes(to_string(op)), board_.name, why);
  return made;
}

}  // namespace thimble
