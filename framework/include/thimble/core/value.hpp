#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <thimble/core/error.hpp>
#include <thimble/core/export.hpp>

namespace thimble {

/// A piece of YAML as it was written: text with its place. A scalar stays text until whoever
/// declared the key says which type it must have, so nothing is coerced behind anybody's back.
class THIMBLE_EXPORT Value {
 public:
  enum class Kind { null, scalar, sequence, map };
  struct Entry;

  Value();
  Value(const Value&);
  Value(Value&&) noexcept;
  Value& operator=(const Value&);
  Value& operator=(Value&&) noexcept;
  ~Value();
  static Value scalar(std::string text, bool is_quoted = false, Location where = {});
  static Value sequence(std::vector<Value> items = {}, Location where = {});
  static Value map(Location where = {});

  Kind kind() const noexcept { return kind_; }
  bool is_null() const noexcept { return kind_ == Kind::null; }
  bool is_scalar() const noexcept { return kind_ == Kind::scalar; }
  bool is_sequence() const noexcept { return kind_ == Kind::sequence; }
  bool is_map() const noexcept { return kind_ == Kind::map; }

  const std::string& text() const noexcept { return text_; }
  /// True when the scalar was written in quotes: then it is text and never a number.
  bool is_quoted() const noexcept { return is_quoted_; }
  const Location& where() const noexcept { return where_; }
  void set_where(Location where) { where_ = std::move(where); }

  std::vector<Value>& items() noexcept { return items_; }
  const std::vector<Value>& items() const noexcept { return items_; }
  std::vector<Entry>& entries() noexcept { return entries_; }
  const std::vector<Entry>& entries() const noexcept { return entries_; }

  /// The value at a key, or nullptr.
  const Value* find(std::string_view key) const noexcept;
  Value* find(std::string_view key) noexcept;
  /// Sets a key, keeping its place in the order when it was there.
  void set(std::string key, Value value, Location key_where = {});
  void erase(std::string_view key);

  /// "a map", "a list", "'text'", "nothing": what was found, for messages.
  std::string found() const;

 private:
  Kind kind_ = Kind::null;
  bool is_quoted_ = false;
  std::string text_;
  Location where_;
  std::vector<Value> items_;
  std::vector<Entry> entries_;
};

struct Value::Entry {
  std::string key;
  Location key_where;
  Value value;
};

}  // namespace thimble
