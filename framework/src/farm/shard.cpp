#include <thimble/farm/shard.hpp>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <thimble/core/error.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/text.hpp>

namespace thimble {
namespace {

namespace fs = std::filesystem;

constexpr const char* kShardName = ".shard";
constexpr const char* kKnownName = "known";
constexpr const char* kHeader = "thimble shard 1";
constexpr std::size_t kCheckLength = 16;

std::string escaped(std::string_view text) {
  std::string out;
  for (const char letter : text) switch (letter) {
      case '\\': out += "\\\\"; break;
      case '\t': out += "\\t"; break;
      case '\n': out += "\\n"; break;
      default: out += letter;
    }
  return out;
}

std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    const char letter = text[++i];
    out += letter == 't' ? '\t' : letter == 'n' ? '\n' : letter;
  }
  return out;
}

/// Behind a checksum, so that a line which is whole can be told from one that is not.
std::string line_of(const std::vector<std::string>& words) {
  std::vector<std::string> cells;
  for (const std::string& word : words) cells.push_back(escaped(word));
  const std::string text = join(cells, "\t");
  return hex(fingerprint(text)) + "\t" + text + "\n";
}

/// Every bit of it, whatever number it is.
std::string bits_text(double value) {
  return fmt::format("{:016x}", std::bit_cast<std::uint64_t>(value));
}

double number_of_bits(std::string_view text) {
  std::uint64_t bits = 0;
  std::from_chars(text.data(), text.data() + text.size(), bits, 16);
  return std::bit_cast<double>(bits);
}

std::vector<std::string> words_of(const StoredValue& stored) {
  std::vector<std::string> repeats;
  for (const double repeat : stored.value.repeats) repeats.push_back(bits_text(repeat));
  return {"value",
          stored.candidate,
          stored.proxy,
          bits_text(stored.value.value),
          join(repeats, " "),
          bits_text(stored.value.seconds),
          stored.value.invalid};
}

StoredValue value_of(const std::vector<std::string>& words) {
  StoredValue stored{words[1], words[2], {}};
  stored.value.value = number_of_bits(words[3]);
  if (!words[4].empty())
    for (const std::string& repeat : split(words[4], ' '))
      stored.value.repeats.push_back(number_of_bits(repeat));
  stored.value.seconds = number_of_bits(words[5]);
  stored.value.invalid = words[6];
  return stored;
}

bool is_same_number(double a, double b) {
  if (!std::isfinite(a) && !std::isfinite(b)) return true;
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

std::string origin(const Worker& worker) {
  return fmt::format("process {} on {} ({})", worker.process, worker.node, worker.arithmetic);
}

}  // namespace

bool is_same(const ProxyValue& a, const ProxyValue& b) {
  return is_same_number(a.value, b.value) && a.invalid == b.invalid &&
         std::ranges::equal(a.repeats, b.repeats, is_same_number);
}

void ShardReader::read_on() {
  std::ifstream stream{file_, std::ios::binary};
  if (!stream) return;
  stream.seekg(static_cast<std::streamoff>(offset_));
  std::ostringstream added;
  added << stream.rdbuf();
  const std::string text = added.str();
  std::size_t begin = 0;
  for (auto end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
    if (!read_line(std::string_view{text}.substr(begin, end - begin))) ++damaged_;
    begin = end + 1;
  }
  offset_ += begin;  // what follows is not whole yet, and perhaps never will be
}

bool ShardReader::read_line(std::string_view line) {
  if (line.size() <= kCheckLength || line[kCheckLength] != '\t') return false;
  const std::string_view text = line.substr(kCheckLength + 1);
  if (hex(fingerprint(text)) != line.substr(0, kCheckLength)) return false;
  std::vector<std::string> words;
  for (const std::string& cell : split(text, '\t')) words.push_back(unescaped(cell));
  const std::string& what = words[0];
  if (what == kHeader && words.size() == 5) {
    worker_ = {words[1], words[2], parse_integer(words[3]).value_or(0), words[4]};
  } else if (what == "begin" && words.size() == 3) {
    begun_[words[1]] = words[2];
  } else if (what == "value" && words.size() == 7) {
    values_.push_back(value_of(words));
    std::erase_if(begun_, [&](const auto& one) { return one.second == words[1]; });
  } else if (what == "step" && words.size() == 2) {
    steps_ = std::max(steps_, parse_integer(words[1]).value_or(0));
  } else if (what == "done" || what == "stopped") {
    is_closed_ = true;
    is_done_ = what == "done";
  } else if (what == "failed" && words.size() == 2) {
    is_closed_ = true;
    failure_ = words[1];
  } else if (what == "died" && words.size() == 2) {
    signal_ = static_cast<int>(parse_integer(words[1]).value_or(0));
  } else {
    return false;
  }
  return true;
}

std::set<std::string> ShardReader::in_flight() const {
  std::set<std::string> candidates;
  for (const auto& [thread, candidate] : begun_) candidates.insert(candidate);
  return candidates;
}

fs::path folder_of_shards(const fs::path& run) { return run / "farm" / "shards"; }

std::vector<fs::path> shards_of(const fs::path& run, const std::string& part) {
  std::vector<fs::path> files;
  std::error_code trouble;
  for (fs::directory_iterator it{folder_of_shards(run), trouble}, end; !trouble && it != end;
       it.increment(trouble)) {
    const std::string name = it->path().filename().string();
    if (name.starts_with(part.empty() ? part : part + ".") && name.ends_with(kShardName) &&
        !name.starts_with(kKnownName))
      files.push_back(it->path());
  }
  std::ranges::sort(files);
  return files;
}

void write_known(const fs::path& run, const std::vector<StoredValue>& values) {
  std::string text;
  for (const StoredValue& stored : values) text += line_of(words_of(stored));
  make_folder(folder_of_shards(run));
  write_file(folder_of_shards(run) / (std::string{kKnownName} + kShardName), text);
}

void Shards::look() {
  for (const fs::path& file : shards_of(run_)) {
    ShardReader& shard = shards_.try_emplace(file, file).first->second;
    if (shard.is_closed()) continue;
    shard.read_on();
    if (shard.is_done()) done_.insert(shard.worker().part);
  }
}

std::vector<StoredValue> Shards::new_values() {
  look();
  std::vector<StoredValue> made;
  for (const auto& [file, shard] : shards_) {
    std::size_t& next = taken_[file];
    for (; next < shard.values().size(); ++next) {
      const StoredValue& stored = shard.values()[next];
      const auto [found, is_new] =
          known_.try_emplace({stored.candidate, stored.proxy}, &shard, next);
      if (is_new) made.push_back(stored);
      const auto& [first, place] = found->second;
      if (const ProxyValue& known = first->values()[place].value; !is_same(known, stored.value))
        throw Error{fmt::format("two workers differ about candidate '{}': {} of {} and {} of {}",
                                stored.candidate, number_text(known.value), origin(first->worker()),
                                number_text(stored.value.value), origin(shard.worker())),
                    fmt::format("remove the wrong one's file from '{}', and go on with --resume",
                                folder_of_shards(run_).string())};
    }
  }
  return made;
}

Shard::Shard(const fs::path& run, const Worker& worker) {
  const fs::path folder = folder_of_shards(run);
  take_known(folder / (std::string{kKnownName} + kShardName));
  for (const fs::path& file : shards_of(run, worker.part)) take_known(file);
  const std::string stem = fmt::format("{}.{}.{}", worker.part, worker.node, worker.process);
  // Numbers of processes come again, above all in containers.
  for (int attempt = 1; descriptor_ < 0; ++attempt) {
    file_ = folder /
            (attempt == 1 ? stem + kShardName : fmt::format("{}-{}{}", stem, attempt, kShardName));
    descriptor_ = ::open(file_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (descriptor_ < 0 && errno != EEXIST)
      throw Error{fmt::format("cannot write '{}': {}", file_.string(), std::strerror(errno)),
                  fmt::format("can {} write into the run's folder?", worker.node)};
  }
  write({kHeader, worker.part, worker.node, std::to_string(worker.process), worker.arithmetic});
}

Shard::~Shard() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void Shard::take_known(const fs::path& file) {
  ShardReader reader{file};
  reader.read_on();
  for (const StoredValue& stored : reader.values())
    known_[{stored.candidate, stored.proxy}] = stored.value;
}

void Shard::write(const std::vector<std::string>& words) {
  const std::string line = line_of(words);
  const auto written = ::write(descriptor_, line.data(), line.size());
  if (written == static_cast<ssize_t>(line.size())) return;
  throw Error{
      fmt::format("cannot write '{}': {}", file_.string(),
                  std::strerror(written < 0 ? errno : ENOSPC)),
      "nothing is lost but what was being computed: make room, and go on with run --resume"};
}

std::optional<ProxyValue> Shard::find(const std::string& candidate, const std::string& proxy) {
  const std::scoped_lock lock{mutex_};
  if (const auto found = known_.find({candidate, proxy}); found != known_.end())
    return found->second;
  // It is computed now; should that be the end of this process, the shard says so.
  const std::size_t thread =
      threads_.try_emplace(std::this_thread::get_id(), threads_.size()).first->second;
  write({"begin", std::to_string(thread), candidate});
  return {};
}

void Shard::put(const std::string& candidate, const std::string& proxy, const ProxyValue& value) {
  const std::scoped_lock lock{mutex_};
  write(words_of({candidate, proxy, value}));
  known_[{candidate, proxy}] = value;
}

void Shard::note_step(std::int64_t done) {
  const std::scoped_lock lock{mutex_};
  write({"step", std::to_string(done)});
}

void Shard::note_done() { write({"done"}); }
void Shard::note_stopped() { write({"stopped"}); }
void Shard::note_failure(const std::string& message) { write({"failed", message}); }

std::string Shard::death_line(int signal) { return line_of({"died", std::to_string(signal)}); }

}  // namespace thimble
