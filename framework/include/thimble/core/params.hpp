#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/core/value.hpp>

/// Parameters, said once. A struct names its members in one place,
///
///     struct Params {
///       int batch = 32;
///       template <class Describe> static void describe(Describe& param) {
///         param(&Params::batch, "batch", "images in one batch").range(1, 4096);
///       }
///     };
///
/// and reading, ranges, error texts, defaults, documentation and the resolved experiment all come
/// from there. Types: bool, int, std::int64_t, double, std::string, described enums, other
/// described structs, Value (kept as written), and std::vector, std::optional and
/// std::map<std::string, T> of these. An enum is described by an overload found by name lookup,
/// `const std::vector<std::pair<std::string, E>>& names_of(E)`.
namespace thimble {

/// One declared parameter: what documentation needs, and how to read and write its member.
struct Field {
  std::string name;
  std::string sentence;
  std::string type;
  std::string default_text;
  std::vector<std::string> choices;
  double least = -std::numeric_limits<double>::infinity();
  double most = std::numeric_limits<double>::infinity();
  bool is_required = false;
  std::function<void(const Value&, const Field&, Diagnostics&)> read;
  std::function<Value()> write;

  /// "[1, 4096]", "at least 0" or nothing.
  THIMBLE_EXPORT std::string range_text() const;
};

using Schema = std::vector<Field>;

/// Reads a map into described fields. Unknown, missing, mistyped and out-of-range values go to
/// `problems` with their place; `subject` is what the keys belong to ("proxy 'ntk'").
THIMBLE_EXPORT void read_fields(const Value& map, const Schema& schema, const std::string& subject,
                                Diagnostics& problems);
/// The fields as a map, defaults and all.
THIMBLE_EXPORT Value write_fields(const Schema& schema);

/// The fields of an object, bound to it: valid as long as the object stays where it is.
template <class T>
Schema schema_of(T& object);

namespace detail {

THIMBLE_EXPORT void wrong_type(const Value& value, const Field& field, Diagnostics& problems);
THIMBLE_EXPORT bool in_range(double number, const Value& value, const Field& field,
                             Diagnostics& problems);
THIMBLE_EXPORT bool read_scalar(const Value&, bool&, const Field&, Diagnostics&);
THIMBLE_EXPORT bool read_scalar(const Value&, std::int64_t&, const Field&, Diagnostics&);
THIMBLE_EXPORT bool read_scalar(const Value&, double&, const Field&, Diagnostics&);
THIMBLE_EXPORT bool read_scalar(const Value&, std::string&, const Field&, Diagnostics&);
THIMBLE_EXPORT Value write_scalar(bool value);
THIMBLE_EXPORT Value write_scalar(std::int64_t value);
THIMBLE_EXPORT Value write_scalar(double value);
THIMBLE_EXPORT Value write_scalar(const std::string& value);
THIMBLE_EXPORT std::string one_line(const Value& value);

template <class T>
struct Codec;

/// A field without name that reads and writes `target`.
template <class Member>
Field field_of(Member& target) {
  Field field;
  field.type = Codec<Member>::type();
  field.choices = Codec<Member>::choices();
  field.default_text = one_line(Codec<Member>::write(target));
  field.read = [&target](const Value& value, const Field& self, Diagnostics& problems) {
    Codec<Member>::read(value, target, self, problems);
  };
  field.write = [&target] { return Codec<Member>::write(target); };
  return field;
}

/// What may be said of a field behind its name and sentence.
class Refine {
 public:
  explicit Refine(Schema& schema) : schema_{schema}, index_{schema.size() - 1} {}
  THIMBLE_EXPORT Refine& range(double least, double most);
  THIMBLE_EXPORT Refine& at_least(double least);
  THIMBLE_EXPORT Refine& required();

 private:
  Schema& schema_;
  std::size_t index_;
};

// Not templates, so that a struct costs its plugin's compiler little.
THIMBLE_EXPORT Refine add_field(Schema& schema, Field field, std::string_view name,
                                std::string_view sentence);
THIMBLE_EXPORT void include_fields(Schema& schema, Schema taken,
                                   std::initializer_list<std::string_view> fixed);

/// Builds the schema of an object while its struct's describe() runs.
template <class T>
class Binder {
 public:
  Binder(T& object, Schema& schema) : object_{object}, schema_{schema} {}

  template <class Member, class Owner>
  Refine operator()(Member Owner::*member, std::string_view name, std::string_view sentence) {
    return add_field(schema_, field_of(object_.*member), name, sentence);
  }

  /// Takes in the fields of a member that is itself described, as if they stood here, but for
  /// those that are `fixed`: they keep the value they have and cannot be set.
  template <class Member, class Owner>
  void include(Member Owner::*member, std::initializer_list<std::string_view> fixed = {}) {
    include_fields(schema_, schema_of(object_.*member), fixed);
  }

 private:
  T& object_;
  Schema& schema_;
};

}  // namespace detail

template <class T>
Schema schema_of(T& object) {
  Schema schema;
  detail::Binder<T> binder{object, schema};
  T::describe(binder);
  return schema;
}

/// Reads a described struct; problems are collected, not thrown.
template <class T>
T read_params(const Value& map, const std::string& subject, Diagnostics& problems) {
  T object;
  read_fields(map, schema_of(object), subject, problems);
  return object;
}

/// The struct as a map with every value in force.
template <class T>
Value write_params(const T& object) {
  T copy = object;
  return write_fields(schema_of(copy));
}

namespace detail {

template <class T>
concept Described = requires(Binder<T>& binder) {
  T::describe(binder);
};

template <class T>
concept NamedEnum = std::is_enum_v<T> && requires(T value) {
  names_of(value);
};

template <class T>
struct ScalarCodec {
  static std::vector<std::string> choices() { return {}; }
  static bool read(const Value& value, T& target, const Field& field, Diagnostics& problems) {
    return read_scalar(value, target, field, problems);
  }
  static Value write(const T& value) { return write_scalar(value); }
};

template <>
struct Codec<bool> : ScalarCodec<bool> {
  static std::string type() { return "true or false"; }
};
template <>
struct Codec<std::int64_t> : ScalarCodec<std::int64_t> {
  static std::string type() { return "integer"; }
};
template <>
struct Codec<double> : ScalarCodec<double> {
  static std::string type() { return "number"; }
};
template <>
struct Codec<std::string> : ScalarCodec<std::string> {
  static std::string type() { return "text"; }
};

template <>
struct Codec<int> {
  static std::string type() { return "integer"; }
  static std::vector<std::string> choices() { return {}; }
  static bool read(const Value& value, int& target, const Field& field, Diagnostics& problems) {
    std::int64_t wide = 0;
    if (!read_scalar(value, wide, field, problems)) return false;
    Field narrowed = field;
    narrowed.least = std::max<double>(field.least, std::numeric_limits<int>::min());
    narrowed.most = std::min<double>(field.most, std::numeric_limits<int>::max());
    if (!in_range(static_cast<double>(wide), value, narrowed, problems)) return false;
    target = static_cast<int>(wide);
    return true;
  }
  static Value write(int value) { return write_scalar(std::int64_t{value}); }
};

template <>
struct Codec<Value> {
  static std::string type() { return "anything"; }
  static std::vector<std::string> choices() { return {}; }
  static bool read(const Value& value, Value& target, const Field&, Diagnostics&) {
    target = value;
    return true;
  }
  static Value write(const Value& value) { return value; }
};

extern template THIMBLE_EXPORT Field field_of(bool&);
extern template THIMBLE_EXPORT Field field_of(int&);
extern template THIMBLE_EXPORT Field field_of(std::int64_t&);
extern template THIMBLE_EXPORT Field field_of(double&);
extern template THIMBLE_EXPORT Field field_of(std::string&);
extern template THIMBLE_EXPORT Field field_of(Value&);

/// Which of the known names a value is, or a problem.
THIMBLE_EXPORT std::optional<std::size_t> choice_in(const Value& value,
                                                    const std::vector<std::string>& known,
                                                    const Field& field, Diagnostics& problems);

template <NamedEnum E>
struct Codec<E> {
  static std::string type() { return "one of"; }
  static std::vector<std::string> choices() {
    std::vector<std::string> names;
    for (const auto& [name, value] : names_of(E{})) names.push_back(name);
    return names;
  }
  static bool read(const Value& value, E& target, const Field& field, Diagnostics& problems) {
    const auto index = choice_in(value, choices(), field, problems);
    if (index) target = names_of(E{})[*index].second;
    return index.has_value();
  }
  static Value write(E value) {
    for (const auto& [name, known] : names_of(E{}))
      if (known == value) return Value::scalar(name);
    return Value{};
  }
};

template <Described T>
struct Codec<T> {
  static std::string type() { return "map"; }
  static std::vector<std::string> choices() { return {}; }
  static bool read(const Value& value, T& target, const Field& field, Diagnostics& problems) {
    if (!value.is_map()) {
      wrong_type(value, field, problems);
      return false;
    }
    const auto before = problems.size();
    read_fields(value, schema_of(target), "'" + field.name + "'", problems);
    return problems.size() == before;
  }
  static Value write(const T& value) { return write_params(value); }
};

template <class T>
struct Codec<std::vector<T>> {
  static std::string type() {
    return std::is_same_v<T, Value> ? "list" : "list of " + Codec<T>::type();
  }
  static std::vector<std::string> choices() { return Codec<T>::choices(); }
  static bool read(const Value& value, std::vector<T>& target, const Field& field,
                   Diagnostics& problems) {
    if (!value.is_sequence()) {
      wrong_type(value, field, problems);
      return false;
    }
    std::vector<T> items;
    Field element = field;
    element.type = Codec<T>::type();
    bool is_good = true;
    for (const Value& item : value.items())
      is_good &= Codec<T>::read(item, items.emplace_back(), element, problems);
    target = std::move(items);
    return is_good;
  }
  static Value write(const std::vector<T>& values) {
    Value list = Value::sequence();
    for (const T& value : values) list.items().push_back(Codec<T>::write(value));
    return list;
  }
};

/// What is there already keeps what is not written: a map that follows another changes it.
template <class T>
struct Codec<std::optional<T>> {
  static std::string type() { return Codec<T>::type(); }
  static std::vector<std::string> choices() { return Codec<T>::choices(); }
  static bool read(const Value& value, std::optional<T>& target, const Field& field,
                   Diagnostics& problems) {
    if (!target) target.emplace();
    return Codec<T>::read(value, *target, field, problems);
  }
  static Value write(const std::optional<T>& value) {
    return value ? Codec<T>::write(*value) : Value{};
  }
};

template <class T>
struct Codec<std::map<std::string, T>> {
  static std::string type() {
    return std::is_same_v<T, Value> ? "map" : "map of " + Codec<T>::type();
  }
  static std::vector<std::string> choices() { return {}; }
  static bool read(const Value& value, std::map<std::string, T>& target, const Field& field,
                   Diagnostics& problems) {
    if (!value.is_map()) {
      wrong_type(value, field, problems);
      return false;
    }
    bool is_good = true;
    for (const auto& entry : value.entries()) {
      Field element = field;
      element.name = entry.key;
      element.type = Codec<T>::type();
      is_good &= Codec<T>::read(entry.value, target[entry.key], element, problems);
    }
    return is_good;
  }
  static Value write(const std::map<std::string, T>& values) {
    Value map = Value::map();
    for (const auto& [key, value] : values) map.set(key, Codec<T>::write(value));
    return map;
  }
};

}  // namespace detail
}  // namespace thimble
