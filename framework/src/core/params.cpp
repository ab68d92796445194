#include <thimble/core/params.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include <thimble/core/text.hpp>
#include <thimble/core/yaml.hpp>

namespace thimble {
namespace {

std::vector<std::string> names_in(const Schema& schema) {
  std::vector<std::string> names;
  for (const Field& field : schema) names.push_back(field.name);
  return names;
}

/// Whole numbers in full: that is how they have to be written.
std::string bound_text(double bound) {
  constexpr double kExact = 0x1.0p53;
  return bound == std::floor(bound) && std::abs(bound) < kExact
             ? std::to_string(static_cast<std::int64_t>(bound))
             : number_text(bound);
}

/// What a value out of range must be instead.
std::string demand(const Field& field) {
  if (field.least == field.most) return bound_text(field.least);
  const std::string range = field.range_text();
  return range.starts_with('[') ? "in " + range : range;
}

/// Written as an integer should be; then only its size can be wrong.
bool is_plain_integer(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return !text.empty() && text[0] != '0' &&
         text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// Written as a number should be; then only its size can be wrong.
bool is_beyond_doubles(std::string_view text) {
  double ignored = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), ignored);
  return problem == std::errc::result_out_of_range && end == text.data() + text.size();
}

std::string with_article(const std::string& type) {
  if (type == "true or false" || type == "text") return type;
  return (type.starts_with('i') ? "an " : "a ") + type;
}

}  // namespace

std::string Field::range_text() const {
  const bool has_least = least != -std::numeric_limits<double>::infinity();
  const bool has_most = most != std::numeric_limits<double>::infinity();
  if (has_least && has_most) return "[" + bound_text(least) + ", " + bound_text(most) + "]";
  if (has_least) return "at least " + bound_text(least);
  if (has_most) return "at most " + bound_text(most);
  return "";
}

void read_fields(const Value& map, const Schema& schema, const std::string& subject,
                 Diagnostics& problems) {
  const auto names = names_in(schema);
  std::vector<std::string> meant;  // what unknown keys probably are: not missing on top of it
  for (const auto& entry : map.entries()) {
    const auto field = std::find_if(schema.begin(), schema.end(),
                                    [&](const Field& f) { return f.name == entry.key; });
    if (field == schema.end()) {
      problems.error(entry.key_where,
                     "unknown key " + in_quotes(entry.key) + " for " + subject +
                         did_you_mean(entry.key, names),
                     names.empty() ? "it takes no keys" : "known keys are " + join(names));
      if (const auto near = nearest(entry.key, names)) meant.push_back(*near);
    } else if (entry.value.is_null()) {
      problems.error(entry.value.where(), in_quotes(field->name) + " has no value",
                     field->is_required ? field->name + ": " + field->sentence
                                        : "write a value, or leave the key out");
    } else {
      field->read(entry.value, *field, problems);
    }
  }
  for (const Field& field : schema) {
    const bool is_meant = std::find(meant.begin(), meant.end(), field.name) != meant.end();
    if (field.is_required && !is_meant && map.find(field.name) == nullptr)
      problems.error(map.where(), "missing key " + in_quotes(field.name) + " for " + subject,
                     field.name + ": " + field.sentence);
  }
}

Value write_fields(const Schema& schema) {
  Value map = Value::map();
  for (const Field& field : schema) {
    Value value = field.write();
    if (!value.is_null()) map.set(field.name, std::move(value));
  }
  return map;
}

namespace detail {

void wrong_type(const Value& value, const Field& field, Diagnostics& problems) {
  std::string note;
  if (value.is_quoted()) {
    note = "leave out the quotes";
  } else if (field.type == "true or false" && value.is_scalar()) {
    note = "YAML's other spellings of true and false are not read";
  } else if (field.type == "integer" && is_plain_integer(value.text())) {
    note = "it must fit into 64 bits";
  } else if (field.type == "number" && is_beyond_doubles(value.text())) {
    note = "it must be 0, or in size between 1e-307 and 1e308";
  } else if (field.type == "integer" && value.is_scalar()) {
    note = "write a decimal integer without leading zeros, point or exponent";
  } else {
    note = field.name + ": " + field.sentence;
  }
  // "list of one of" names what its entries are; a value that is no list is wrong before that.
  const std::string type = field.type == "list of one of" ? "list" : field.type;
  problems.error(
      value.where(),
      in_quotes(field.name) + " must be " + with_article(type) + ", found " + value.found(), note);
}

bool in_range(double number, const Value& value, const Field& field, Diagnostics& problems) {
  if (number >= field.least && number <= field.most) return true;
  problems.error(value.where(),
                 in_quotes(field.name) + " is " + value.text() + ", must be " + demand(field),
                 field.name + ": " + field.sentence);
  return false;
}

bool read_scalar(const Value& value, bool& target, const Field& field, Diagnostics& problems) {
  if (value.is_scalar() && !value.is_quoted()) {
    if (value.text() == "true" || value.text() == "false") {
      target = value.text() == "true";
      return true;
    }
  }
  wrong_type(value, field, problems);
  return false;
}

bool read_scalar(const Value& value, std::int64_t& target, const Field& field,
                 Diagnostics& problems) {
  const auto number =
      value.is_scalar() && !value.is_quoted() ? parse_integer(value.text()) : std::nullopt;
  if (!number) {
    wrong_type(value, field, problems);
    return false;
  }
  target = *number;
  return in_range(static_cast<double>(*number), value, field, problems);
}

bool read_scalar(const Value& value, double& target, const Field& field, Diagnostics& problems) {
  const auto number =
      value.is_scalar() && !value.is_quoted() ? parse_number(value.text()) : std::nullopt;
  if (!number) {
    wrong_type(value, field, problems);
    return false;
  }
  target = *number;
  return in_range(*number, value, field, problems);
}

bool read_scalar(const Value& value, std::string& target, const Field& field,
                 Diagnostics& problems) {
  if (!value.is_scalar()) {
    wrong_type(value, field, problems);
    return false;
  }
  target = value.text();
  return true;
}

Value write_scalar(bool value) { return Value::scalar(value ? "true" : "false"); }
Value write_scalar(std::int64_t value) { return Value::scalar(std::to_string(value)); }
Value write_scalar(double value) { return Value::scalar(number_text(value)); }
Value write_scalar(const std::string& value) {
  // Quoted where a plain word would read back as something else.
  const bool is_plain =
      is_identifier(value) && value != "null" && value != "true" && value != "false";
  return Value::scalar(value, !is_plain);
}

std::string one_line(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::null: return "";
    case Value::Kind::scalar: return value.text();
    case Value::Kind::sequence: {
      std::vector<std::string> items;
      for (const Value& item : value.items()) items.push_back(one_line(item));
      return "[" + join(items) + "]";
    }
    case Value::Kind::map: break;
  }
  std::vector<std::string> entries;
  for (const auto& entry : value.entries())
    entries.push_back(entry.key + ": " + one_line(entry.value));
  return "{" + join(entries) + "}";
}

std::optional<std::size_t> choice_in(const Value& value, const std::vector<std::string>& known,
                                     const Field& field, Diagnostics& problems) {
  const auto found =
      value.is_scalar() ? std::find(known.begin(), known.end(), value.text()) : known.end();
  if (found != known.end()) return found - known.begin();
  problems.error(value.where(),
                 in_quotes(field.name) + " cannot be " + value.found() +
                     (value.is_scalar() ? did_you_mean(value.text(), known) : ""),
                 "it is one of " + join(known));
  return std::nullopt;
}

template Field field_of(bool&);
template Field field_of(int&);
template Field field_of(std::int64_t&);
template Field field_of(double&);
template Field field_of(std::string&);
template Field field_of(Value&);

Refine& Refine::range(double least, double most) {
  schema_[index_].least = least;
  schema_[index_].most = most;
  return *this;
}

Refine& Refine::at_least(double least) {
  schema_[index_].least = least;
  return *this;
}

Refine& Refine::required() {
  schema_[index_].is_required = true;
  return *this;
}

Refine add_field(Schema& schema, Field field, std::string_view name, std::string_view sentence) {
  field.name = name;
  field.sentence = sentence;
  schema.push_back(std::move(field));
  return Refine{schema};
}

void include_fields(Schema& schema, Schema taken, std::initializer_list<std::string_view> fixed) {
  for (Field& field : taken)
    if (std::find(fixed.begin(), fixed.end(), field.name) == fixed.end())
      schema.push_back(std::move(field));
}

}  // namespace detail
}  // namespace thimble
