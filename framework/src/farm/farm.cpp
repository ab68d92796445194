#include <thimble/farm/farm.hpp>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include <thimble/core/error.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/stop.hpp>
#include <thimble/core/text.hpp>

namespace thimble {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr int kMostDeaths = 3;  ///< of workers at one candidate
constexpr int kMostStalls = 2;  ///< attempts in a row that bring nothing

fs::path file_of_arrays(const fs::path& run) { return run / "farm" / "arrays.txt"; }

/// The last lines of what a worker said.
std::string tail_of(const fs::path& log) {
  constexpr std::size_t kLines = 5;
  std::ifstream stream{log};
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);)
    if (!trimmed(line).empty()) lines.push_back(line);
  if (lines.size() > kLines) lines.erase(lines.begin(), lines.end() - kLines);
  return join(lines, "\n    ");
}

/// Places of the first part and of that behind the last, of each task. A process costs a start:
/// where there are many more parts than processes at a time, each computes several. Not so many
/// that the last one is waited for long.
std::vector<std::pair<std::size_t, std::size_t>> tasks_of(std::size_t parts, std::size_t at_once) {
  constexpr std::size_t kTurns = 8;
  const std::size_t size = at_once == 0 ? 1 : std::max<std::size_t>(1, parts / (kTurns * at_once));
  std::vector<std::pair<std::size_t, std::size_t>> tasks;
  for (std::size_t first = 0; first < parts; first += size)
    tasks.emplace_back(first, std::min(first + size, parts));
  return tasks;
}

/// Longer and longer, up to a limit.
class Patience {
 public:
  explicit Patience(std::chrono::milliseconds most) : most_{most} {}
  /// Whether it is time again.
  bool is_over() {
    const auto now = std::chrono::steady_clock::now();
    if (now < next_) return false;
    pause_ = std::min(most_, pause_ * 3 / 2);
    next_ = now + pause_;
    return true;
  }

 private:
  std::chrono::milliseconds most_, pause_{20};
  std::chrono::steady_clock::time_point next_{};
};

}  // namespace

/// How it goes with a part that is not done.
struct Farm::Course {
  std::string part;
  fs::path log{};               ///< of the attempt at hand; none is under way where it is empty
  bool is_first = true;         ///< of those that its process computes
  std::set<fs::path> before{};  ///< shards of attempts that have been judged
  std::int64_t steps = 0;       ///< of a training, the most that one of them reached
  int stalls = 0;
  std::map<std::string, int> deaths{};  ///< by candidate
  std::string trouble{};                ///< why it leads nowhere, or nothing
  std::string note{};
};

Farm::Farm(FarmOrder order, Engine& engine)
    : order_{std::move(order)}, engine_{engine}, shards_{order_.run} {
  order_.array.logs = order_.run / "farm" / "logs";
}

std::vector<std::string> submitted_arrays(const fs::path& run) {
  std::ifstream stream{file_of_arrays(run)};
  std::vector<std::string> ids;
  for (std::string line; std::getline(stream, line);) ids.push_back(line);
  return ids;
}

std::vector<PartState> states_of_parts(const fs::path& run) {
  std::vector<PartState> states;
  for (const std::string& part : parts_of(run)) {
    PartState state;
    state.part = part;
    for (const fs::path& file : shards_of(run, part)) {
      ShardReader shard{file};
      shard.read_on();
      state.is_done = state.is_done || shard.is_done();
      state.values += shard.values().size();
      state.epochs = std::max(state.epochs, shard.steps());
      ++state.workers;
      state.node = shard.worker().node;
      state.trouble = shard.signal() > 0 ? fmt::format("died: {}", ::strsignal(shard.signal()))
                                         : shard.failure();
    }
    states.push_back(std::move(state));
  }
  return states;
}

std::int64_t Farm::done_of(const std::vector<Course>& courses) const {
  return std::ranges::count_if(courses,
                               [&](const Course& one) { return shards_.is_done(one.part); });
}

void Farm::wait_for(const std::vector<std::string>& ids, const std::vector<Course>& courses,
                    std::int64_t all) {
  Patience looks{500ms}, questions{10s};
  for (bool has_ended = false;; std::this_thread::sleep_for(10ms)) {
    stop_if_requested();
    if (!has_ended && !looks.is_over()) continue;
    shards_.look();
    const auto open = std::ssize(courses);
    const std::int64_t done = done_of(courses);
    order_.progress(all - open + done, all);
    if (done == open || has_ended) return;
    if (questions.is_over())  // and one more look at what they left
      has_ended = std::ranges::none_of(ids, [&](const auto& id) { return engine_.is_alive(id); });
  }
}

/// An engine may have taken enough before it has taken all: the rest is for the next round.
std::vector<std::string> Farm::submit(std::vector<Course>& courses) {
  Array array = order_.array;
  const auto tasks = tasks_of(courses.size(), array.at_once);
  std::vector<std::string> ids;
  for (Course& course : courses) course.log.clear();
  for (std::size_t next = 0; next < tasks.size();) {
    array.tasks.clear();
    for (std::size_t i = next; i < tasks.size(); ++i) {
      array.tasks.emplace_back();
      for (std::size_t part = tasks[i].first; part < tasks[i].second; ++part)
        array.tasks.back().push_back(courses[part].part);
    }
    Submission taken;
    try {
      taken = engine_.submit(array);
    } catch (const InputError& error) {
      if (ids.empty()) throw;
      order_.say(fmt::format("{} parts wait for the others: {}", courses.size() - tasks[next].first,
                             error.diagnostics().front().message));
      break;
    }
    ids.push_back(taken.id);
    std::ofstream{file_of_arrays(order_.run), std::ios::app} << taken.id << "\n";
    for (std::size_t i = 0; i < taken.tasks; ++i, ++next)
      for (std::size_t part = tasks[next].first; part < tasks[next].second; ++part) {
        courses[part].log = order_.array.logs / fmt::format("{}_{}.log", taken.id, i);
        courses[part].is_first = part == tasks[next].first;
      }
  }
  order_.submitted(ids);
  return ids;
}

/// What an attempt has led to. A worker that was told to stop, or killed from outside, costs
/// nothing but time: only what brings nothing again and again leads nowhere.
void Farm::judge(Course& course) const {
  bool is_further = false;
  const ShardReader* last = nullptr;
  std::string poison;
  for (const auto& [file, shard] : shards_.all()) {
    if (shard.worker().part != course.part || !course.before.insert(file).second) continue;
    is_further = is_further || !shard.values().empty() || shard.steps() > course.steps;
    course.steps = std::max(course.steps, shard.steps());
    last = &shard;
    if (shard.is_closed()) continue;
    for (const std::string& candidate : shard.in_flight())
      if (++course.deaths[candidate] >= kMostDeaths) poison = candidate;
  }
  if (last == nullptr && !course.is_first) return;  // its turn has not come
  course.stalls = is_further ? 0 : course.stalls + 1;
  if (poison.empty() && course.stalls < kMostStalls) return;
  const std::string said = tail_of(course.log);
  course.note = said.empty() ? fmt::format("'{}' is empty; can nodes run '{}' and write into '{}'?",
                                           course.log.string(), order_.array.program.string(),
                                           order_.run.string())
                             : fmt::format("'{}' ends with\n    {}", course.log.string(), said);
  if (last == nullptr) {
    course.trouble = "no worker of it has begun";
  } else if (!last->failure().empty()) {
    course.trouble = fmt::format("{} (on {})", last->failure(), last->worker().node);
  } else {
    const std::string how = last->signal() > 0 ? fmt::format("signal {}, {}", last->signal(),
                                                             ::strsignal(last->signal()))
                                               : "killed from outside, or its node was lost";
    if (poison.empty() && !last->in_flight().empty()) poison = *last->in_flight().begin();
    course.trouble = fmt::format("{} worker after worker dies: {} on {}",
                                 poison.empty() ? "its" : fmt::format("at candidate '{}'", poison),
                                 how, last->worker().node);
  }
}

void Farm::compute(const std::vector<Part>& parts) {
  make_folder(folder_of_shards(order_.run));
  make_folder(order_.array.logs);
  for (const Part& part : parts) write_part(order_.run, part);
  shards_.look();
  std::vector<Course> open;
  for (const Part& part : parts)
    if (const std::string name = part.name(); !shards_.is_done(name)) open.push_back({name});
  const auto all = std::ssize(parts);
  // An earlier coordinator's may still be at work.
  if (!open.empty()) wait_for(submitted_arrays(order_.run), open, all);
  for (Course& course : open)
    for (const auto& [file, shard] : shards_.all())
      if (course.before.insert(file).second && shard.worker().part == course.part)
        course.steps = std::max(course.steps, shard.steps());
  std::vector<Course> hopeless;
  while (std::erase_if(open, [&](const Course& one) { return shards_.is_done(one.part); }),
         !open.empty()) {
    wait_for(submit(open), open, all);
    for (Course& course : open)
      if (!course.log.empty() && !shards_.is_done(course.part)) judge(course);
    std::ranges::copy_if(open, std::back_inserter(hopeless),
                         [](const Course& one) { return !one.trouble.empty(); });
    std::erase_if(open, [](const Course& one) { return !one.trouble.empty(); });
  }
  std::vector<Diagnostic> problems;
  for (const Course& course : hopeless)
    problems.push_back(
        {{},
         fmt::format("part '{}' cannot be computed: {}", course.part, course.trouble),
         course.note});
  if (!problems.empty()) throw Error{std::move(problems)};
}

}  // namespace thimble
