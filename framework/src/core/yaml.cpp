#include <thimble/core/yaml.hpp>

#include <algorithm>
#include <optional>
#include <set>
#include <sstream>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <thimble/core/files.hpp>
#include <thimble/core/text.hpp>
#include <thimble/core/utf8.hpp>

namespace thimble {
namespace {

constexpr std::size_t kLargestFile = std::size_t{4} << 20;
constexpr std::size_t kDeepest = 64;
const char* const kSyntaxNote = "look for tabs, open brackets and open quotes there and above";
const char* const kPlainNote = "write the value out; thimble reads plain YAML without them";

/// The place of a byte.
Location place_in(std::string_view text, std::size_t offset, const std::string& file) {
  const auto above = text.substr(0, offset);
  const auto line = std::count(above.begin(), above.end(), '\n');
  const auto column = offset - (above.rfind('\n') + 1);  // npos + 1 is 0
  return {file, static_cast<int>(line) + 1, static_cast<int>(column) + 1};
}

/// Builds a Value from the parser's events: yaml-cpp's own nodes drop what we must see
/// (duplicate keys, the place of a key, whether a scalar was quoted).
class Builder final : public YAML::EventHandler {
 public:
  Builder(std::string_view text, std::string file, Diagnostics& problems)
      : text_{text}, file_{std::move(file)}, problems_{problems} {
    start = {file_, 1, 1};
    root.set_where(start);
  }

  Location start;          ///< of the document
  bool is_marked = false;  ///< it begins with ---
  Value root;

  void OnDocumentStart(const YAML::Mark& mark) override {
    start = place(mark);
    is_marked =
        text_.substr(std::min(text_.size(), static_cast<std::size_t>(std::max(mark.pos, 0))))
            .starts_with("---");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_anchor(mark, anchor);
    // The parser gives an empty value the mark of what follows it; its key, or the dash of its
    // entry, is the better place.
    Value value;
    value.set_where(pending_key_ ? key_where_ : place_of_entry(mark));
    add(std::move(value));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    problems_.error(place(mark), "aliases are not supported", kPlainNote);
    add(Value{});
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    const bool is_quoted = tag == "!";
    if (is_quoted) last_quoted_ = mark;
    if (expects_key()) return take_key(text, place(mark));
    if (!is_quoted && (text == "~" || text == "null" || text == "Null" || text == "NULL")) {
      Value nothing;
      nothing.set_where(place(mark));
      return add(std::move(nothing));
    }
    add(Value::scalar(text, is_quoted, place(mark)));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(Value::sequence({}, place(mark)), mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(Value::map(place(mark)), mark, tag, anchor);
  }
  void OnMapEnd() override { close(); }

  /// The parser takes the end of the text for a closing quote; only the last scalar can reach it.
  void require_closed_quote() {
    if (!last_quoted_) return;
    auto at = static_cast<std::size_t>(std::max(last_quoted_->pos, 0));
    if (at >= text_.size()) return;
    const char quote = text_[at];
    if (quote != '"' && quote != '\'') return;
    for (++at; at < text_.size(); ++at) {
      const bool is_pair = quote == '"' ? text_[at] == '\\' : text_.substr(at, 2) == "''";
      if (is_pair) {
        ++at;
      } else if (text_[at] == quote) {
        return;
      }
    }
    problems_.error(place(*last_quoted_), "this quote is never closed",
                    std::string{"add the closing "} + quote);
  }

 private:
  struct Level {
    Value value;
    bool has_key = false;
    bool is_refused = false;  // stands where a key should be: read on, but dropped
    std::string key;
    Location key_where;
    std::set<std::string> keys;
  };

  Location place(const YAML::Mark& mark) const { return {file_, mark.line + 1, mark.column + 1}; }
  Location place_of_entry(const YAML::Mark& mark) const {
    const auto end = std::min(text_.size(), static_cast<std::size_t>(std::max(mark.pos, 0)));
    const auto dash = text_.find_last_not_of(" \t\r\n", end == 0 ? 0 : end - 1);
    if (end == 0 || dash == std::string_view::npos || text_[dash] != '-') return place(mark);
    return place_in(text_, dash, file_);
  }
  bool expects_key() const {
    return !levels_.empty() && levels_.back().value.is_map() && !levels_.back().has_key;
  }

  void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor != 0) problems_.error(place(mark), "anchors are not supported", kPlainNote);
  }
  void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (!tag.empty() && tag != "?" && tag != "!")
      problems_.error(place(mark), "tag " + in_quotes(tag) + " is not supported", kPlainNote);
  }

  void take_key(const std::string& key, const Location& where) {
    Level& level = levels_.back();
    if (key == "<<") problems_.error(where, "merging with '<<' is not supported", kPlainNote);
    if (!level.keys.insert(key).second)
      problems_.error(where, "duplicate key " + in_quotes(key), "keep one of them");
    level.has_key = pending_key_ = true;
    level.key = key;
    level.key_where = key_where_ = where;
  }

  void open(Value value, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    if (levels_.size() >= kDeepest)
      throw InputError{Diagnostic{place(mark), "nested deeper than 64 levels", {}}};
    const bool is_refused = expects_key();
    if (is_refused) problems_.error(place(mark), "a key must be plain text", {});
    pending_key_ = false;
    Level level;
    level.value = std::move(value);
    level.is_refused = is_refused;
    levels_.push_back(std::move(level));
  }

  void close() {
    Level level = std::move(levels_.back());
    levels_.pop_back();
    if (level.is_refused) return take_key("", level.value.where());
    add(std::move(level.value));
  }

  void add(Value value) {
    pending_key_ = false;
    if (levels_.empty()) {
      root = std::move(value);
      return;
    }
    Level& level = levels_.back();
    if (level.value.is_sequence()) {
      level.value.items().push_back(std::move(value));
    } else if (!level.has_key) {
      problems_.error(value.where(), "a key must be plain text", {});
      take_key("", value.where());
    } else {
      if (level.value.find(level.key) == nullptr)
        level.value.set(level.key, std::move(value), level.key_where);
      level.has_key = false;
    }
  }

  std::string_view text_;
  std::string file_;
  Diagnostics& problems_;
  std::vector<Level> levels_;
  std::optional<YAML::Mark> last_quoted_;
  bool pending_key_ = false;
  Location key_where_;
};

void emit(YAML::Emitter& out, const Value& value) {
  switch (value.kind()) {
    case Value::Kind::null: out << YAML::Null; return;
    case Value::Kind::scalar:
      // yaml-cpp writes some control characters as they are, and reads them back as line breaks.
      if (value.is_quoted() || find_control(value.text())) out << YAML::DoubleQuoted;
      out << value.text();
      return;
    case Value::Kind::sequence: {
      bool is_flat = true;
      for (const Value& item : value.items()) is_flat &= item.is_scalar();
      if (is_flat) out << YAML::Flow;
      out << YAML::BeginSeq;
      for (const Value& item : value.items()) emit(out, item);
      out << YAML::EndSeq;
      return;
    }
    case Value::Kind::map:
      if (value.entries().empty()) out << YAML::Flow;
      out << YAML::BeginMap;
      for (const auto& entry : value.entries()) {
        out << YAML::Key << entry.key << YAML::Value;
        emit(out, entry.value);
      }
      out << YAML::EndMap;
      return;
  }
}

}  // namespace

Value parse_yaml(std::string_view text, const std::string& file) {
  text = plain_text(text, file, "is it a YAML file?");
  Diagnostics problems;
  Builder builder{text, file, problems};
  try {
    std::istringstream stream{std::string{text}};
    YAML::Parser parser{stream};
    parser.HandleNextDocument(builder);
    builder.require_closed_quote();
    Diagnostics ignored;
    Builder rest{text, file, ignored};
    if (parser.HandleNextDocument(rest)) {
      if (!rest.is_marked)
        throw InputError{Diagnostic{rest.start, "not valid YAML: not a part of what stands above",
                                    "check the indentation"}};
      problems.error(rest.start, "a second document begins", "keep one document a file");
    }
  } catch (const YAML::Exception& broken) {
    // Alone: what was found before may come of the same mistake, read on.
    const Location where{file, broken.mark.line + 1, broken.mark.column + 1};
    if (broken.msg.starts_with(YAML::ErrorMsg::UNKNOWN_ANCHOR))  // yaml-cpp 0.8 says which
      throw InputError{Diagnostic{where, "aliases are not supported", kPlainNote}};
    throw InputError{Diagnostic{where, "not valid YAML: " + broken.msg, kSyntaxNote}};
  }
  problems.throw_if_any();
  return std::move(builder.root);
}

Value read_yaml(const std::filesystem::path& file) {
  return parse_yaml(read_file(file, kLargestFile), file.string());
}

std::string to_yaml(const Value& value) {
  YAML::Emitter out;
  emit(out, value);
  return std::string{out.c_str()} + "\n";
}

}  // namespace thimble
