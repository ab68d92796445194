#include <thimble/core/error.hpp>

#include <algorithm>
#include <map>
#include <tuple>

namespace thimble {
namespace {

std::string all_of(const std::vector<Diagnostic>& diagnostics) {
  std::string text;
  for (const Diagnostic& diagnostic : diagnostics) {
    if (!text.empty()) text += '\n';
    text += to_string(diagnostic);
  }
  return text;
}

}  // namespace

std::string to_string(const Diagnostic& diagnostic) {
  const auto& [where, message, note] = diagnostic;
  std::string text = where.file.empty() ? "thimble" : where.file;
  if (where.line > 0) {
    text += ':' + std::to_string(where.line);
    if (where.column > 0) text += ':' + std::to_string(where.column);
  }
  text += ": error: " + message;
  if (!note.empty()) text += "\n  note: " + note;
  return text;
}

Error::Error(std::string message, std::string note)
    : Error{Diagnostic{{}, std::move(message), std::move(note)}} {}

Error::Error(Diagnostic diagnostic) : Error{std::vector<Diagnostic>{std::move(diagnostic)}} {}

Error::Error(std::vector<Diagnostic> diagnostics)
    : diagnostics_{std::move(diagnostics)}, text_{all_of(diagnostics_)} {}

// Out of line, so that the type information of errors lives in one library only.
Error::~Error() = default;
InputError::~InputError() = default;
Interrupted::~Interrupted() = default;

std::string what_was_thrown() {
  try {
    throw;
  } catch (const Error& error) {
    return error.diagnostics().front().message;
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "something that is no exception";
  }
}

void Diagnostics::error(Location where, std::string message, std::string note) {
  found_.push_back({std::move(where), std::move(message), std::move(note)});
}

void Diagnostics::throw_if_any() const {
  if (found_.empty()) return;
  // Files in the order in which they were first complained of; what several found, once.
  std::map<std::string, std::size_t> file_places;
  for (const Diagnostic& diagnostic : found_)
    file_places.emplace(diagnostic.where.file, file_places.size());
  auto sorted = found_;
  std::ranges::stable_sort(sorted, {}, [&](const Diagnostic& diagnostic) {
    const Location& where = diagnostic.where;
    return std::tuple{file_places.at(where.file), where.line, where.column};
  });
  const auto repeated = std::ranges::unique(
      sorted, {}, [](const Diagnostic& diagnostic) { return to_string(diagnostic); });
  sorted.erase(repeated.begin(), repeated.end());
  throw InputError{std::move(sorted)};
}

}  // namespace thimble
