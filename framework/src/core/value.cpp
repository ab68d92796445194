#include <thimble/core/value.hpp>

#include <algorithm>

#include <thimble/core/text.hpp>

namespace thimble {

// Here, because Entry holds a Value and is complete only now.
Value::Value() = default;
Value::Value(const Value&) = default;
Value::Value(Value&&) noexcept = default;
Value& Value::operator=(const Value&) = default;
Value& Value::operator=(Value&&) noexcept = default;
Value::~Value() = default;

Value Value::scalar(std::string text, bool is_quoted, Location where) {
  Value value;
  value.kind_ = Kind::scalar;
  value.text_ = std::move(text);
  value.is_quoted_ = is_quoted;
  value.where_ = std::move(where);
  return value;
}

Value Value::sequence(std::vector<Value> items, Location where) {
  Value value;
  value.kind_ = Kind::sequence;
  value.items_ = std::move(items);
  value.where_ = std::move(where);
  return value;
}

Value Value::map(Location where) {
  Value value;
  value.kind_ = Kind::map;
  value.where_ = std::move(where);
  return value;
}

const Value* Value::find(std::string_view key) const noexcept {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [key](const Entry& entry) { return entry.key == key; });
  return found == entries_.end() ? nullptr : &found->value;
}

Value* Value::find(std::string_view key) noexcept {
  return const_cast<Value*>(std::as_const(*this).find(key));
}

void Value::set(std::string key, Value value, Location key_where) {
  if (Value* const present = find(key)) {
    *present = std::move(value);
  } else {
    entries_.push_back({std::move(key), std::move(key_where), std::move(value)});
  }
}

void Value::erase(std::string_view key) {
  std::erase_if(entries_, [key](const Entry& entry) { return entry.key == key; });
}

std::string Value::found() const {
  switch (kind_) {
    case Kind::null: return "nothing";
    case Kind::sequence: return "a list";
    case Kind::map: return "a map";
    case Kind::scalar: break;
  }
  return is_quoted_ ? "the text " + in_quotes(text_) : in_quotes(text_);
}

}  // namespace thimble
