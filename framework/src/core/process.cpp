#include <thimble/core/process.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <boost/filesystem/path.hpp>
#include <boost/process/search_path.hpp>

#include <thimble/core/error.hpp>
#include <thimble/core/stop.hpp>
#include <thimble/core/text.hpp>

namespace thimble {
namespace {

using Clock = std::chrono::steady_clock;

/// Signals may reach another thread than the one that waits, so it looks up now and then.
constexpr long kGlanceMs = 100;

/// A file descriptor that is closed with its owner.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_{number} {}
  Descriptor(Descriptor&& other) noexcept : number_{std::exchange(other.number_, -1)} {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close(); }

  int number() const { return number_; }
  void close() {
    if (number_ >= 0) ::close(std::exchange(number_, -1));
  }

 private:
  int number_ = -1;
};

[[noreturn]] void cannot_start(const std::filesystem::path& program, int error) {
  throw Error{fmt::format("cannot start '{}': {}", program.string(), std::strerror(error))};
}

struct Pipe {
  Descriptor from;
  Descriptor to;
};

Pipe make_pipe(const std::filesystem::path& program) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) cannot_start(program, errno);
  return {Descriptor{ends[0]}, Descriptor{ends[1]}};
}

/// Everything that the child needs between vfork and exec, where it must not allocate, nor change
/// what the parent has.
struct Start {
  const char* program = nullptr;
  std::vector<char*> arguments;
  const char* folder = nullptr;
  int nothing = -1, output = -1, errors = -1, trouble = -1;
  pid_t parent = 0;
  rlimit file_bytes{};
};

/// Becomes the program, or says on `trouble` why not.
[[noreturn]] void become(const Start& start) {
  ::setpgid(0, 0);  // so that it can be killed with its children
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::setrlimit(RLIMIT_FSIZE, &start.file_bytes);
  const bool is_orphan = ::getppid() != start.parent;
  if (!is_orphan && ::chdir(start.folder) == 0 && ::dup2(start.nothing, STDIN_FILENO) >= 0 &&
      ::dup2(start.output, STDOUT_FILENO) >= 0 && ::dup2(start.errors, STDERR_FILENO) >= 0)
    ::execv(start.program, start.arguments.data());
  const int error = errno;
  [[maybe_unused]] const auto written = ::write(start.trouble, &error, sizeof error);
  std::_Exit(127);
}

/// A running program. It does not outlive its owner.
class Child {
 public:
  Child(const std::filesystem::path& program, const std::vector<std::string>& arguments,
        const std::filesystem::path& folder, const ProcessLimits& limits);
  ~Child() { end(); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// Kills what is left of it; how it ended, as wait() says it.
  int end();

  Descriptor alive;  ///< readable when it has ended
  Descriptor output;
  Descriptor errors;

 private:
  pid_t id_ = -1;
  int status_ = 0;
};

Child::Child(const std::filesystem::path& program, const std::vector<std::string>& arguments,
             const std::filesystem::path& folder, const ProcessLimits& limits) {
  Pipe said = make_pipe(program), complained = make_pipe(program), trouble = make_pipe(program);
  const Descriptor nothing{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
  std::vector<std::string> words{program.string()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  Start start{.program = words[0].c_str(),
              .arguments = {},
              .folder = folder.c_str(),
              .nothing = nothing.number(),
              .output = said.to.number(),
              .errors = complained.to.number(),
              .trouble = trouble.to.number(),
              .parent = ::getpid(),
              .file_bytes = {limits.file_bytes, limits.file_bytes}};
  for (std::string& word : words) start.arguments.push_back(word.data());
  start.arguments.push_back(nullptr);
  id_ = ::vfork();  // fork() would copy the page tables of a program that holds LibTorch
  if (id_ < 0) cannot_start(program, errno);
  if (id_ == 0) become(start);
  for (Pipe* const pipe : {&said, &complained, &trouble}) pipe->to.close();
  alive = Descriptor{static_cast<int>(::syscall(SYS_pidfd_open, id_, 0))};
  int error = alive.number() < 0 ? errno : 0;
  const auto length = ::read(trouble.from.number(), &error, sizeof error);
  if (length > 0 || alive.number() < 0) {
    end();
    cannot_start(program, error);
  }
  output = std::move(said.from);
  errors = std::move(complained.from);
}

int Child::end() {
  if (id_ < 0) return status_;
  ::kill(-id_, SIGKILL);  // not waited for yet, so the number is still its own
  ::kill(id_, SIGKILL);   // where it was not yet a group
  while (::waitpid(id_, &status_, 0) < 0 && errno == EINTR) continue;
  id_ = -1;
  return status_;
}

/// Appends what there is to read; closes the pipe behind its end. False beyond the limit.
bool take(Descriptor& pipe, std::string& text, std::size_t limit) {
  std::array<char, 1 << 16> block;
  const auto length = ::read(pipe.number(), block.data(), block.size());
  if (length < 0 && errno == EINTR) return true;
  if (length <= 0) {
    pipe.close();
    return true;
  }
  const auto room = limit - text.size();
  text.append(block.data(), std::min(room, static_cast<std::size_t>(length)));
  return static_cast<std::size_t>(length) <= room;
}

/// Listens until the child has ended and everything is read, or a limit is reached. What a
/// grandchild might say after the child's end is not waited for.
ProcessResult::End listen(Child& child, ProcessResult& result, const ProcessLimits& limits) {
  using End = ProcessResult::End;
  const auto deadline = Clock::now() + limits.time;
  for (bool has_ended = false;;) {
    stop_if_requested();
    if (limits.is_unwanted != nullptr && *limits.is_unwanted) throw Interrupted{"unwanted"};
    std::array<pollfd, 3> events{pollfd{has_ended ? -1 : child.alive.number(), POLLIN, 0},
                                 pollfd{child.output.number(), POLLIN, 0},
                                 pollfd{child.errors.number(), POLLIN, 0}};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    const auto patience = has_ended ? 0 : std::clamp<long>(left.count(), 0, kGlanceMs);
    const int ready = ::poll(events.data(), events.size(), static_cast<int>(patience));
    if (ready < 0 && errno == EINTR) continue;
    if (has_ended && ready <= 0) return End::exited;
    if (events[1].revents != 0 && !take(child.output, result.output, limits.output_bytes))
      return End::too_much_output;
    if (events[2].revents != 0 && !take(child.errors, result.errors, limits.output_bytes))
      return End::too_much_output;
    has_ended = has_ended || events[0].revents != 0;
    if (!has_ended && Clock::now() >= deadline) return End::out_of_time;
  }
}

}  // namespace

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

bool is_over(const std::string& host, std::int64_t process) {
  return host == host_name() && ::kill(static_cast<pid_t>(process), 0) != 0 && errno == ESRCH;
}

std::optional<std::filesystem::path> find_program(const std::string& name) {
  const auto found = boost::process::search_path(name);
  if (found.empty()) return std::nullopt;
  return found.string();
}

ProcessResult run_process(const std::filesystem::path& program,
                          const std::vector<std::string>& arguments,
                          const std::filesystem::path& folder, const ProcessLimits& limits) {
  Child child{program, arguments, folder, limits};
  ProcessResult result;
  result.end = listen(child, result, limits);
  const int status = child.end();
  if (result.end != ProcessResult::End::exited) return result;
  if (WIFSIGNALED(status)) result.end = ProcessResult::End::killed;
  result.code = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
  return result;
}

std::string failure_text(std::string_view name, const ProcessResult& result,
                         const ProcessLimits& limits) {
  switch (result.end) {
    case ProcessResult::End::out_of_time:
      return fmt::format("{} took more than {} s", name,
                         number_text(static_cast<double>(limits.time.count()) / 1000));
    case ProcessResult::End::too_much_output:
      return fmt::format("{} printed more than {} bytes", name, limits.output_bytes);
    case ProcessResult::End::killed:
      return fmt::format("{} was killed by signal {}", name, result.code);
    case ProcessResult::End::exited: break;
  }
  std::string complaint = result.errors;
  std::ranges::replace(complaint, '\n', ' ');
  return fmt::format("{} failed with code {}: {}", name, result.code, trimmed(complaint));
}

}  // namespace thimble
