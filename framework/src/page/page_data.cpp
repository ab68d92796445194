#include <thimble/page/page_data.hpp>

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

#include <thimble/core/text.hpp>
#include <thimble/core/yaml.hpp>
#include <thimble/experiment/columns.hpp>
#include <thimble/experiment/study.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/report/answers.hpp>
#include <thimble/search/cost_metrics.hpp>

namespace thimble {
namespace {

using Places = std::map<std::pair<int, std::string>, std::size_t>;  ///< by point and architecture

/// Networks whose plans a page holds: a few kilobytes each.
constexpr std::size_t kMostPlans = 40;
/// Spaces with more decisions than a person can look at show the first.
constexpr std::size_t kMostChoices = 24;

std::string text_at(const Value& map, const char* key) {
  const Value* const found = map.find(key);
  return found != nullptr && found->is_scalar() ? found->text() : "";
}

std::vector<std::string> texts_at(const Value& map, const char* key) {
  std::vector<std::string> texts;
  if (const Value* const found = map.find(key))
    for (const Value& item : found->items()) texts.push_back(item.text());
  return texts;
}

/// Where the files of a run contradict each other, or themselves.
[[noreturn]] void refuse_changed(const Location& where, const std::string& what,
                                 const std::string& file) {
  throw InputError{Diagnostic{where, what, file + " has been changed"}};
}

double number_of_cell(const CsvCell& cell) {
  if (cell.text.empty()) return kNotANumber;
  const auto number = parse_number(cell.text);
  if (!number) refuse_changed(cell.where, in_quotes(cell.text) + " is no number", "candidates.csv");
  return *number;
}

/// Rows of candidates.csv that the page shows: all, or of too many what matters and every n-th.
std::vector<std::size_t> shown_rows(const CsvTable& table, const Value& result) {
  std::vector<std::size_t> rows;
  std::set<std::string> wanted;
  const std::size_t step =
      table.rows.size() <= kMostShown ? 1 : (table.rows.size() + kShownOfMore - 1) / kShownOfMore;
  if (step > 1)
    for (const Value& point : result.find("points")->items()) {
      if (const Value* const best = point.find("best")) wanted.insert(text_at(*best, "arch"));
      if (const Value* const front = point.find("front"))
        for (const Value& network : front->items()) wanted.insert(text_at(network, "arch"));
    }
  const std::size_t arch = table.column("arch");
  for (std::size_t i = 0; i < table.rows.size(); ++i)
    if (i % step == 0 || wanted.contains(table.rows[i][arch].text)) rows.push_back(i);
  return rows;
}

void read_candidates(PageData& data) {
  const CsvTable& table = *data.record.table("candidates");
  const auto rows = shown_rows(table, data.record.result);
  data.all_networks = table.rows.size();
  const std::size_t network = table.column("network"), point = table.column("point"),
                    arch = table.column("arch"), valid = table.column("valid"),
                    feasible = table.column("feasible"), reason = table.column("reason");
  for (const std::size_t place : rows) {
    const auto& row = table.rows[place];
    const auto of = parse_integer(row[point].text);
    if (!of || *of < 1 || *of > std::ssize(data.record.resolved))
      refuse_changed(row[point].where, in_quotes(row[point].text) + " is no point",
                     "candidates.csv");
    data.number.push_back(parse_integer(row[network].text).value_or(0));
    data.point.push_back(static_cast<int>(*of - 1));
    data.arch.push_back(row[arch].text);
    data.reasons.push_back(row[reason].text);
    data.state.push_back(row[valid].text != "true"      ? PageData::State::invalid
                         : row[feasible].text != "true" ? PageData::State::beyond
                                                        : PageData::State::feasible);
  }
  for (std::size_t column = 0; column < table.header.size(); ++column) {
    const std::string& name = table.header[column].text;
    if (std::ranges::find(candidate_columns(), name) != candidate_columns().end() ||
        is_error_column(name))
      continue;
    PageData::Metric metric{name, {}, false, false, {}};
    for (const std::size_t place : rows)
      metric.values.push_back(number_of_cell(table.rows[place][column]));
    metric.is_accuracy = name == "accuracy" || name.starts_with("accuracy.");
    if (metric.is_accuracy) metric.direction = Direction::maximize;
    if (is_cost_metric(name)) metric.direction = Direction::minimize;
    data.metrics.push_back(std::move(metric));
  }
}

/// From the experiment as it was resolved, which every run has.
void read_objectives(PageData& data, const Value& resolved) {
  const Value* const objectives = resolved.find("objectives");
  if (objectives == nullptr) return;
  for (const Value& objective : objectives->items())
    for (const auto& [word, direction] :
         {std::pair{"minimize", Direction::minimize}, std::pair{"maximize", Direction::maximize}}) {
      const std::string name = text_at(objective, word);
      const auto found = std::ranges::find(data.metrics, name, &PageData::Metric::name);
      if (found == data.metrics.end()) continue;
      found->direction = direction;
      found->is_objective = true;
    }
}

/// The board's limits are known to the study alone.
std::vector<Limit> limits_of(const Value& resolved) {
  std::vector<Limit> limits;
  if (const Value* const given = resolved.find("limits"))
    for (const auto& entry : given->entries())
      if (const auto most = parse_number(entry.value.text())) limits.push_back({entry.key, *most});
  return limits;
}

/// What result.yaml says of one point, its networks found in candidates.csv.
class PointReader {
 public:
  PointReader(int index, const Places& places) : index_{index}, places_{places} {}

  PageData::Point read(const Value& document) const {
    PageData::Point point;
    point.row = text_at(document, "row");
    point.seed = text_at(document, "seed");
    point.remarks = texts_at(document, "remarks");
    if (const Value* const best = document.find("best")) {
      point.best = *best;
      point.best_place = place_at(*best, "arch");
      point.keeps_limits = text_at(*best, "feasible") == "true";
    }
    if (const Value* const front = document.find("front"))
      for (const Value& network : front->items()) point.front.push_back(place_at(network, "arch"));
    if (const Value* const selected = document.find("selected")) add_selection(point, *selected);
    return point;
  }

 private:
  void add_selection(PageData::Point& point, const Value& selected) const {
    if (const Value* const networks = selected.find("networks"))
      for (const Value& arch : networks->items()) point.chosen.push_back(place_of(arch));
    point.knee = place_at(selected, "knee");
    if (const Value* const ends = selected.find("extremes"))
      for (const auto& entry : ends->entries())
        point.ends.emplace_back(entry.key, place_of(entry.value));
  }

  std::size_t place_at(const Value& map, const char* key) const {
    const Value* const arch = map.find(key);
    return place_of(arch != nullptr ? *arch : map);
  }

  std::size_t place_of(const Value& arch) const {
    const auto found = arch.is_scalar() ? places_.find({index_, arch.text()}) : places_.end();
    if (found == places_.end())
      refuse_changed(
          arch.where(),
          fmt::format("{} is no network of point {} in candidates.csv",
                      arch.is_scalar() ? in_quotes(arch.text()) : arch.found(), index_ + 1),
          "one of both files");
    return found->second;
  }

  int index_;
  const Places& places_;
};

/// What made each network; nothing where its space cannot read it any more.
std::vector<std::optional<Genotype>> genotypes_of(PageData& data, std::span<const Study> studies) {
  std::vector<std::optional<Genotype>> all;
  std::int64_t unread = 0;
  std::string first;
  for (std::size_t i = 0; i < data.arch.size(); ++i) {
    try {
      all.emplace_back(
          studies[static_cast<std::size_t>(data.point[i])].space->decode(data.arch[i]));
    } catch (const Error& error) {
      all.emplace_back();
      if (unread++ == 0)
        first = fmt::format("network {}: {}", data.number[i], error.diagnostics().front().message);
    }
  }
  if (unread > 0)
    data.remarks.push_back(
        fmt::format("the search space cannot read {}, of which this page has no choices and no "
                    "drawings; {}",
                    count_text(unread, "architecture"), first));
  return all;
}

/// All points of a sweep have one space, or there are no choices that all networks have.
void add_choices(PageData& data, std::span<const Study> studies,
                 const std::vector<std::optional<Genotype>>& genotypes) {
  for (const Study& study : studies)
    if (study.space != studies.front().space) return;
  const auto decisions = studies.front().space->decisions();
  for (std::size_t i = 0; i < decisions.size() && i < kMostChoices; ++i)
    data.choices.push_back({decisions[i].name, decisions[i].options, {}});
  for (const auto& genotype : genotypes)
    for (std::size_t i = 0; i < data.choices.size(); ++i)
      data.choices[i].values.push_back(genotype ? (*genotype)[i] : kNotANumber);
}

/// The networks that people ask for first, each once: what was found, selected, on the front.
std::vector<std::size_t> wanted_plans(const PageData& data) {
  std::vector<std::size_t> wanted;
  const auto want = [&](std::size_t place) {
    if (data.state[place] == PageData::State::invalid || wanted.size() >= kMostPlans) return;
    if (std::ranges::find(wanted, place) == wanted.end()) wanted.push_back(place);
  };
  for (const PageData::Point& point : data.points)
    if (point.best_place) want(*point.best_place);
  for (const PageData::Point& point : data.points) {
    std::ranges::for_each(point.chosen, want);
    if (point.knee) want(*point.knee);
    for (const auto& [metric, place] : point.ends) want(place);
  }
  for (const PageData::Point& point : data.points) std::ranges::for_each(point.front, want);
  return wanted;
}

void add_plans(PageData& data, std::span<const Study> studies,
               const std::vector<std::optional<Genotype>>& genotypes) {
  for (const std::size_t place : wanted_plans(data)) {
    const Study& study = studies[static_cast<std::size_t>(data.point[place])];
    if (!genotypes[place]) continue;
    const Graph graph = study.space->build(*genotypes[place]);
    if (is_connected(graph)) data.plans.push_back({place, plan_of(graph, study.hardware.get())});
  }
}

void add_board(PageData& data, PageData::Point& point, const Target& board) {
  point.board = {{"ram_bytes", static_cast<double>(board.ram_bytes)},
                 {"rom_bytes", static_cast<double>(board.rom_bytes)}};
  const std::string runtime = runtime_text(board);
  if (std::ranges::find(data.runtimes, runtime) == data.runtimes.end())
    data.runtimes.push_back(runtime);
}

/// "identity 0123" of the comments above a resolved experiment, without the word.
std::string comment_with(const std::string& text, const std::string& word) {
  for (const std::string& line : split(text, '\n')) {
    if (!line.starts_with("# ")) return "";
    if (line.starts_with("# " + word)) return line.substr(2 + word.size());
  }
  return "";
}

}  // namespace

const PageData::Metric* PageData::metric(const std::string& called) const {
  const auto found = std::ranges::find(metrics, called, &Metric::name);
  return found == metrics.end() ? nullptr : &*found;
}

PageData page_data(RunRecord record, std::span<const Study> studies, const std::string& why_not) {
  PageData data;
  data.record = std::move(record);
  data.missing = why_not;
  data.identity = comment_with(data.record.resolved_text, "identity ");
  data.program = "thimble " + comment_with(data.record.resolved_text, "thimble ");
  data.remarks = texts_at(data.record.result, "remarks");
  read_candidates(data);
  Places places;
  for (std::size_t i = 0; i < data.arch.size(); ++i)
    places.try_emplace({data.point[i], data.arch[i]}, i);
  int index = 0;
  for (const Value& document : data.record.result.find("points")->items()) {
    const Value resolved = read_yaml(data.record.resolved[static_cast<std::size_t>(index)]);
    if (index == 0) data.name = text_at(resolved, "name");
    read_objectives(data, resolved);
    data.points.push_back(PointReader{index, places}.read(document));
    data.points.back().limits = lowest_limits(
        studies.empty() ? limits_of(resolved) : studies[static_cast<std::size_t>(index)].limits);
    ++index;
  }
  if (studies.empty()) return data;
  if (studies.front().hardware != nullptr) {
    data.target = studies.front().hardware->target().name;
    for (std::size_t i = 0; i < studies.size(); ++i)
      if (studies[i].hardware != nullptr)
        add_board(data, data.points[i], studies[i].hardware->target());
  }
  const auto genotypes = genotypes_of(data, studies);
  add_choices(data, studies, genotypes);
  add_plans(data, studies, genotypes);
  return data;
}

}  // namespace thimble
