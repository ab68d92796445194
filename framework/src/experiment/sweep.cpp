#include <thimble/experiment/sweep.hpp>

#include <algorithm>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include <thimble/core/csv.hpp>
#include <thimble/core/params.hpp>
#include <thimble/core/text.hpp>
#include <thimble/core/yaml.hpp>

namespace thimble {
namespace {

constexpr std::size_t kMostPoints = 100'000;
const char* const kAxisNote = "write key paths and the values they take, as in seed: [1, 2, 3]";

[[noreturn]] void refuse(const Location& where, std::string message, std::string note = {}) {
  throw InputError{Diagnostic{where, std::move(message), std::move(note)}};
}

/// What an entry of a list goes by.
std::vector<std::string> names_of_entry(const Value& entry) {
  std::vector<std::string> names;
  for (const char* const key : {"as", "use", "minimize", "maximize", "row"})
    if (const Value* const name = entry.find(key); name != nullptr && name->is_scalar())
      names.push_back(name->text());
  return names;
}

/// The entry of a list that a step of a path names by place or by name, or nullptr.
const Value* entry_at(const Value& list, const std::string& step) {
  const auto& items = list.items();
  if (const auto place = parse_integer(step))
    return *place >= 0 && *place < std::ssize(items) ? &items[static_cast<std::size_t>(*place)]
                                                     : nullptr;
  const auto found = std::ranges::find_if(items, [&](const Value& item) {
    const auto names = names_of_entry(item);
    return std::ranges::find(names, step) != names.end();
  });
  return found == items.end() ? nullptr : &*found;
}

Value& entry_of_list(Value& list, const std::string& step, const Assignment& assignment) {
  auto& items = list.items();
  if (const Value* const entry = entry_at(list, step))
    return items[static_cast<std::size_t>(entry - items.data())];
  if (parse_integer(step))
    refuse(assignment.value.where(),
           fmt::format("{} names entry {} of a list of {}", in_quotes(assignment.path), step,
                       items.size()),
           "the first entry is 0");
  std::vector<std::string> known;
  for (const Value& item : items)
    for (const std::string& name : names_of_entry(item)) known.push_back(name);
  refuse(assignment.value.where(),
         fmt::format("{} leads nowhere: no entry {}{}", in_quotes(assignment.path), in_quotes(step),
                     did_you_mean(step, known)),
         known.empty() ? "the list is empty" : "entries are " + join(known));
}

std::vector<std::string> steps_of(const Assignment& assignment) {
  auto steps = split(assignment.path, '.');
  if (std::ranges::any_of(steps, [](const std::string& step) { return step.empty(); }))
    refuse(assignment.value.where(), fmt::format("{} is no key path", in_quotes(assignment.path)),
           "write key.path=value, as in searcher.use=random or proxies.ntk.batch=16");
  return steps;
}

/// Puts a value and all in it at one place: inside an argument, lines and columns help nobody.
void place_all(Value& value, const Location& where) {
  value.set_where(where);
  for (Value& item : value.items()) place_all(item, where);
  for (auto& entry : value.entries()) {
    entry.key_where = where;
    place_all(entry.value, where);
  }
}

/// A grid: its label and its axes in order.
struct Grid {
  std::string row;
  Location row_where;
  struct Axis {
    std::string path;
    std::vector<Value> values;
  };
  std::vector<Axis> axes;
};

Grid read_grid(const Value& map) {
  if (!map.is_map())
    refuse(map.where(), "an entry of 'sweep' must be a map, found " + map.found(), kAxisNote);
  Grid grid;
  for (const auto& entry : map.entries()) {
    if (entry.key == "row") {
      if (!entry.value.is_scalar())
        refuse(entry.value.where(), "'row' must be text, found " + entry.value.found(),
               "row: the label in the report; {key.path} in it stands for a value");
      if (!is_cell_text(entry.value.text()))
        refuse(entry.value.where(), "the label has control characters",
               "tables and pages show it in one line");
      grid.row = entry.value.text();
      grid.row_where = entry.value.where();
    } else if (const std::string top = split(entry.key, '.').front();
               top == "name" || top == "report" || top == "benchmark" || top == "sweep" ||
               top == "rows") {
      refuse(entry.key_where, in_quotes(top) + " cannot be swept: all points share it",
             "run the experiment once for each");
    } else if (entry.value.is_sequence()) {
      if (entry.value.items().empty())
        refuse(entry.value.where(), in_quotes(entry.key) + " has no values to sweep over",
               "write the values it takes, or leave it out");
      grid.axes.push_back({entry.key, entry.value.items()});
    } else {
      grid.axes.push_back({entry.key, {entry.value}});
      grid.axes.back().values[0].set_where(entry.value.is_null() ? entry.key_where
                                                                 : entry.value.where());
    }
  }
  return grid;
}

std::vector<Grid> read_grids(const Value& sweep) {
  if (!sweep.is_map() && !sweep.is_sequence())
    refuse(sweep.where(), "'sweep' must be a map or a list of maps, found " + sweep.found(),
           kAxisNote);
  if (sweep.items().empty() && sweep.entries().empty())
    refuse(sweep.where(), "'sweep' is empty", "leave it out");
  if (sweep.is_map()) return {read_grid(sweep)};
  std::vector<Grid> grids;
  for (const Value& item : sweep.items()) grids.push_back(read_grid(item));
  return grids;
}

/// What is at a path, or nullptr.
const Value* at_path(const Value& root, const std::string& path) {
  const Value* at = &root;
  for (const std::string& step : split(path, '.'))
    if (at = at->is_sequence() ? entry_at(*at, step) : at->find(step); at == nullptr)
      return nullptr;
  return at;
}

/// Entries of lists may be called by place and by name.
bool are_one_place(const Value& root, const std::string& path, const std::string& other) {
  if (path == other) return true;
  const Value* const at = at_path(root, path);
  return at != nullptr && at == at_path(root, other);
}

/// Of an axis whose values are lists, a list of anything else is one value.
std::vector<Value> values_for(const Grid::Axis& axis, const Value& given) {
  const auto is_list = [](const Value& value) { return value.is_sequence(); };
  const bool takes_lists = std::ranges::any_of(axis.values, is_list);
  const bool is_one =
      !is_list(given) || (takes_lists && std::ranges::none_of(given.items(), is_list));
  return is_one ? std::vector<Value>{given} : given.items();
}

/// An override of a swept key gives its axis other values, and one value to the grids that do not
/// sweep over it. Returns how many values it has for the sweep.
std::size_t replace_axes(const Assignment& override, std::vector<Grid>& grids, Value& root) {
  std::optional<std::vector<Value>> values;
  for (Grid& grid : grids)
    for (Grid::Axis& axis : grid.axes)
      if (are_one_place(root, override.path, axis.path))
        axis.values = *(values = values_for(axis, override.value));
  if (!values) return 0;
  if (values->empty())
    refuse(override.value.where(), in_quotes(override.path) + " has no values to sweep over",
           "write the values it takes");
  if (override.value.is_sequence() && values->size() == 1)
    assign(root, {override.path, values->front()});  // out of its list
  return values->size();
}

/// As it is written; ~ takes a key away.
std::string shown(const Value& value) { return value.is_null() ? "~" : detail::one_line(value); }

/// In a label, where brackets would say nothing.
std::string shown_in_label(const Value& value) {
  if (!value.is_sequence() || value.items().empty()) return shown(value);
  std::vector<std::string> items;
  for (const Value& item : value.items()) items.push_back(shown(item));
  return join(items, ", ");
}

/// The label with a value for each {key.path} in it.
std::string filled(const Grid& grid, const std::vector<Assignment>& assignments) {
  std::string label;
  std::size_t at = 0;
  for (auto end = grid.row.find('}'); end != std::string::npos; end = grid.row.find('}', at)) {
    const auto begin = grid.row.rfind('{', end);
    if (begin == std::string::npos || begin < at) {  // a brace by itself
      label += grid.row.substr(at, end + 1 - at);
    } else {
      const std::string path = grid.row.substr(begin + 1, end - begin - 1);
      const auto set = std::ranges::find(assignments, path, &Assignment::path);
      if (set == assignments.end())
        refuse(grid.row_where,
               fmt::format("the label names '{{{}}}', which these points do not set", path),
               "{key.path} stands for the value of a key beside 'row'");
      label += grid.row.substr(at, begin - at) + shown_in_label(set->value);
    }
    at = end + 1;
  }
  return label + grid.row.substr(at);
}

std::string row_label(const Grid& grid, const std::vector<Assignment>& assignments) {
  if (!grid.row.empty()) return filled(grid, assignments);
  std::vector<std::string> parts;
  for (const Assignment& assignment : assignments)
    if (assignment.path != "seed") parts.push_back(to_string(assignment));
  return join(parts, " ");
}

void add_points(const Grid& grid, const Value& root, std::vector<SweepPoint>& points) {
  std::size_t count = 1;
  for (const auto& axis : grid.axes) {
    count *= axis.values.size();
    if (points.size() + count > kMostPoints)
      refuse(axis.values[0].where(), fmt::format("the sweep has more than {} points", kMostPoints),
             "sweep over fewer values, or in several experiments");
  }
  for (std::size_t index = 0; index < count; ++index) {
    SweepPoint point;
    std::size_t rest = index;
    for (std::size_t i = grid.axes.size(); i-- > 0;) {
      const auto& [path, values] = grid.axes[i];
      point.assignments.insert(point.assignments.begin(), {path, values[rest % values.size()]});
      rest /= values.size();
    }
    point.root = root;
    for (const Assignment& assignment : point.assignments) assign(point.root, assignment);
    point.row = row_label(grid, point.assignments);
    points.push_back(std::move(point));
  }
}

/// Whether a text is as a pattern says, in which * stands for any letters.
bool matches(std::string_view text, std::string_view pattern) {
  if (pattern.empty()) return text.empty();
  if (pattern.front() != '*')
    return !text.empty() && text.front() == pattern.front() &&
           matches(text.substr(1), pattern.substr(1));
  while (pattern.size() > 1 && pattern[1] == '*') pattern.remove_prefix(1);
  for (std::size_t skipped = 0; skipped <= text.size(); ++skipped)
    if (matches(text.substr(skipped), pattern.substr(1))) return true;
  return false;
}

/// Labels may have any letters, so each is a line of its own.
std::string list_of_rows(const std::vector<SweepPoint>& points) {
  std::string list;
  for (const SweepPoint& point : points)
    if (list.find(in_quotes(point.row)) == std::string::npos)
      list += (list.empty() ? "" : ", ") + in_quotes(point.row);
  return list;
}

/// Leaves the points whose rows are asked for.
void keep_rows(const Value& rows, std::vector<SweepPoint>& points) {
  const std::vector<Value> patterns = rows.is_sequence() ? rows.items() : std::vector<Value>{rows};
  if (patterns.empty())
    refuse(rows.where(), "'rows' is an empty list", "leave it out for all rows");
  std::vector<bool> is_kept(points.size());
  for (const Value& pattern : patterns) {
    if (!pattern.is_scalar())
      refuse(pattern.where(), "'rows' must be labels, found " + pattern.found(),
             "write rows: LABEL, or rows: [LABEL, ...]; * stands for any letters");
    bool is_found = false;
    for (std::size_t i = 0; i < points.size(); ++i)
      if (matches(points[i].row, pattern.text())) is_kept[i] = is_found = true;
    if (!is_found)
      refuse(pattern.where(), "no row of the sweep is called " + in_quotes(pattern.text()),
             "rows are " + list_of_rows(points));
  }
  std::vector<SweepPoint> kept;
  for (std::size_t i = 0; i < points.size(); ++i)
    if (is_kept[i]) kept.push_back(std::move(points[i]));
  points = std::move(kept);
}

/// Rows that do not sweep over a key cannot take several values of it.
void refuse_several(const Assignment& override, std::size_t count, const Value& root,
                    const std::vector<SweepPoint>& points) {
  if (count < 2) return;
  for (const SweepPoint& point : points)
    if (std::ranges::none_of(point.assignments, [&](const Assignment& set) {
          return are_one_place(root, override.path, set.path);
        }))
      refuse(override.value.where(),
             fmt::format("{} has {} values, and row {} takes one", in_quotes(override.path), count,
                         in_quotes(point.row)),
             fmt::format("override it by one value, as in {}, or name other rows",
                         to_string({override.path, override.value.items().front()})));
}

/// What a row sets as a whole it sets behind all overrides of its parts, and where others have no
/// plugin there, parts of it are nothing.
void refuse_undone(const Assignment& override, const std::vector<SweepPoint>& points) {
  const auto undoes = [&](const Assignment& set) {
    return override.path.starts_with(set.path + ".");
  };
  const Assignment* whole = nullptr;
  for (const SweepPoint& point : points)
    if (const auto by = std::ranges::find_if(point.assignments, undoes);
        by != point.assignments.end())
      whole = &*by;
  if (whole == nullptr) return;
  bool all_set_it = true;
  for (const SweepPoint& point : points) {
    if (std::ranges::any_of(point.assignments, undoes)) continue;
    all_set_it = false;
    const Value* const left = at_path(point.root, whole->path);
    const bool is_plugin = whole->value.find("use") != nullptr;
    if (!is_plugin || left == nullptr || left->find("use") != nullptr) return;
  }
  const std::string part = in_quotes(whole->path);
  refuse(
      override.value.where(),
      in_quotes(override.path) + " changes nothing: " +
          (all_set_it ? "every row of the sweep sets " + part + " as a whole"
                      : "rows of the sweep set " + part + " as a whole, and the others have none"),
      fmt::format("override {} itself, or change the rows", part));
}

}  // namespace

std::string to_string(const Assignment& assignment) {
  return assignment.path + "=" + shown(assignment.value);
}

Assignment parse_override(const std::string& text) {
  const Location where{"override " + in_quotes(text)};
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    refuse(where, in_quotes(text) + " is no override",
           "write key.path=value, as in seed=3 or proxies.ntk.batch=16");
  Assignment assignment{text.substr(0, equals), {}};
  assignment.value.set_where(where);
  steps_of(assignment);
  try {
    assignment.value = parse_yaml(text.substr(equals + 1), where.file);
  } catch (const InputError& error) {
    const Diagnostic& problem = error.diagnostics().front();
    refuse(where, problem.message, problem.note);
  }
  place_all(assignment.value, where);
  return assignment;
}

void assign(Value& root, const Assignment& assignment) {
  const auto steps = steps_of(assignment);
  Value* at = &root;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const bool is_last = i + 1 == steps.size();
    if (at->is_sequence()) {
      Value& entry = entry_of_list(*at, steps[i], assignment);
      if (is_last && assignment.value.is_null()) {
        at->items().erase(at->items().begin() + (&entry - at->items().data()));
        return;
      }
      at = &entry;
      if (is_last) *at = assignment.value;
      continue;
    }
    if (!at->is_map())
      refuse(assignment.value.where(),
             fmt::format("{} leads nowhere: {} is {}, not a map", in_quotes(assignment.path),
                         in_quotes(join({steps.begin(), steps.begin() + static_cast<int>(i)}, ".")),
                         at->found()),
             "paths go through maps by key and through lists by place or name");
    if (is_last && assignment.value.is_null()) {
      at->erase(steps[i]);
    } else if (is_last) {
      at->set(steps[i], assignment.value, assignment.value.where());
    } else {
      if (at->find(steps[i]) == nullptr)
        at->set(steps[i], Value::map(assignment.value.where()), assignment.value.where());
      at = at->find(steps[i]);
    }
  }
}

std::vector<SweepPoint> expand_sweep(const Value& experiment,
                                     const std::vector<Assignment>& overrides) {
  if (!experiment.is_map())
    refuse(experiment.where(), "an experiment must be a map, found " + experiment.found(),
           "begin with name: ..., search_space: ... (docs/experiment-format.md)");
  Value root = experiment;
  for (const Assignment& override : overrides) assign(root, override);
  const Value* const sweep = root.find("sweep");
  const Value* const given_rows = root.find("rows");
  const std::optional<Value> rows =
      given_rows != nullptr ? std::optional{*given_rows} : std::nullopt;
  if (sweep == nullptr && rows)
    refuse(rows->where(), "'rows' are those of a sweep, and there is none", "leave it out");
  if (sweep == nullptr) return {{"", {}, root}};
  auto grids = read_grids(*sweep);
  for (const char* const key : {"sweep", "rows"}) root.erase(key);
  std::vector<std::size_t> counts;
  for (const Assignment& override : overrides)
    counts.push_back(replace_axes(override, grids, root));
  std::vector<SweepPoint> points;
  for (const Grid& grid : grids) add_points(grid, root, points);
  if (rows) keep_rows(*rows, points);
  for (std::size_t i = 0; i < overrides.size(); ++i) {
    refuse_several(overrides[i], counts[i], root, points);
    refuse_undone(overrides[i], points);
  }
  return points;
}

}  // namespace thimble
