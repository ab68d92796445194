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

double number_of_cell(const std::string& cell) { return parse_number(cell).value_or(kNotANumber); }

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
      throw InputError{Diagnostic{row[point].where, in_quotes(row[point].text) + " is no point",
                                  "candidates.csv has been changed"}};
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
    if (std::ranges::find(candidate_columns(), name) != candidate_columns().end()) continue;
    PageData::Metric metric{name, {}, false, false, {}};
    for (const std::size_t place : rows)
      metric.values.push_back(number_of_cell(table.rows[place][column].text));
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

std::optional<std::size_t> place_of(const Places& places, int point, const std::string& arch) {
  const auto found = places.find({point, arch});
  if (found == places.end()) return std::nullopt;
  return found->second;
}

void add_selection(PageData::Point& point, const Value& selected, int index, const Places& places) {
  for (const std::string& arch : texts_at(selected, "networks"))
    if (const auto place = place_of(places, index, arch)) point.chosen.push_back(*place);
  point.knee = place_of(places, index, text_at(selected, "knee"));
  if (const Value* const ends = selected.find("extremes"))
    for (const auto& entry : ends->entries())
      if (const auto place = place_of(places, index, entry.value.text()))
        point.ends.emplace_back(entry.key, *place);
}

PageData::Point point_of(const Value& document, int index, const Places& places) {
  PageData::Point point;
  point.row = text_at(document, "row");
  point.seed = text_at(document, "seed");
  point.remarks = texts_at(document, "remarks");
  if (const Value* const best = document.find("best")) {
    point.best = *best;
    point.best_place = place_of(places, index, text_at(*best, "arch"));
    point.keeps_limits = text_at(*best, "feasible") == "true";
  }
  if (const Value* const front = document.find("front"))
    for (const Value& network : front->items())
      if (const auto place = place_of(places, index, text_at(network, "arch")))
        point.front.push_back(*place);
  if (const Value* const selected = document.find("selected"))
    add_selection(point, *selected, index, places);
  return point;
}

/// Nothing when the space cannot read it any more.
std::optional<Genotype> decoded(const SearchSpace& space, const std::string& arch) {
  try {
    return space.decode(arch);
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// All points of a sweep have one space, or there are no choices that all networks have.
void add_choices(PageData& data, std::span<const Study> studies) {
  for (const Study& study : studies)
    if (study.space != studies.front().space) return;
  const SearchSpace& space = *studies.front().space;
  const auto decisions = space.decisions();
  for (std::size_t i = 0; i < decisions.size() && i < kMostChoices; ++i)
    data.choices.push_back({decisions[i].name, decisions[i].options, {}});
  for (const std::string& arch : data.arch) {
    const auto genotype = decoded(space, arch);
    for (std::size_t i = 0; i < data.choices.size(); ++i)
      data.choices[i].values.push_back(genotype ? (*genotype)[i] : kNotANumber);
  }
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

void add_plans(PageData& data, std::span<const Study> studies) {
  for (const std::size_t place : wanted_plans(data)) {
    const Study& study = studies[static_cast<std::size_t>(data.point[place])];
    const auto genotype = decoded(*study.space, data.arch[place]);
    if (!genotype) continue;
    const Graph graph = study.space->build(*genotype);
    if (is_connected(graph)) data.plans.push_back({place, plan_of(graph, study.hardware.get())});
  }
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
    data.points.push_back(point_of(document, index, places));
    data.points.back().limits =
        studies.empty() ? limits_of(resolved) : studies[static_cast<std::size_t>(index)].limits;
    ++index;
  }
  if (studies.empty()) return data;
  if (studies.front().hardware != nullptr) {
    const Target& board = studies.front().hardware->target();
    data.target = board.name;
    data.board = {{"ram_bytes", static_cast<double>(board.ram_bytes)},
                  {"rom_bytes", static_cast<double>(board.rom_bytes)}};
  }
  add_choices(data, studies);
  add_plans(data, studies);
  return data;
}

}  // namespace thimble
