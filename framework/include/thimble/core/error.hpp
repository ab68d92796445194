#pragma once

#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include <thimble/core/export.hpp>

namespace thimble {

/// A place in something the user wrote. Lines and columns start at 1; 0 means unknown.
struct Location {
  std::string file;
  int line = 0;
  int column = 0;
};

/// One thing that is wrong, where it is, and the next step.
/// `message` is lower case, without a full stop, and quotes the offending word.
struct Diagnostic {
  Location where;
  std::string message;
  std::string note;
};

/// "file:line:col: error: message\n  note: ...", as a compiler would print it.
THIMBLE_EXPORT std::string to_string(const Diagnostic& diagnostic);

/// Anything that went wrong and that somebody other than us can mend.
class THIMBLE_EXPORT Error : public std::exception {
 public:
  explicit Error(std::string message, std::string note = {});
  explicit Error(Diagnostic diagnostic);
  explicit Error(std::vector<Diagnostic> diagnostics);
  ~Error() override;

  const std::vector<Diagnostic>& diagnostics() const noexcept { return diagnostics_; }
  /// All diagnostics, one after the other.
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  std::vector<Diagnostic> diagnostics_;
  std::string text_;
};

/// What the user gave is wrong: a file, an argument, a value. The program ends with exit code 2.
class THIMBLE_EXPORT InputError : public Error {
 public:
  using Error::Error;
  ~InputError() override;
};

/// The user asked to stop; what was computed is kept. The program ends with exit code 130.
class THIMBLE_EXPORT Interrupted : public Error {
 public:
  using Error::Error;
  ~Interrupted() override;
};

/// What is being handled, as text: for the edge behind which somebody else's code ran. To be
/// called in a catch block.
THIMBLE_EXPORT std::string what_was_thrown();

/// Collects all problems of one input, so that they can be reported in one go.
class THIMBLE_EXPORT Diagnostics {
 public:
  void error(Location where, std::string message, std::string note = {});
  bool empty() const noexcept { return found_.empty(); }
  std::size_t size() const noexcept { return found_.size(); }
  /// Throws one InputError with everything found, in file order; returns when nothing was.
  void throw_if_any() const;

 private:
  std::vector<Diagnostic> found_;
};

}  // namespace thimble
