#include <thimble/run/store.hpp>

#include <cmath>

#include <fmt/format.h>
#include <sqlite3.h>

#include <thimble/core/error.hpp>
#include <thimble/core/text.hpp>

namespace thimble {
namespace {

constexpr const char* kSchema = R"(
  CREATE TABLE IF NOT EXISTS proxy_values (
    candidate TEXT NOT NULL,
    proxy     TEXT NOT NULL,
    value     REAL,            -- NULL: none
    repeats   TEXT NOT NULL,   -- the single scores, shortest exact decimals, with blanks between
    seconds   REAL NOT NULL,
    invalid   TEXT NOT NULL,   -- why there is no value, or empty
    PRIMARY KEY (candidate, proxy)
  ) WITHOUT ROWID;
  PRAGMA user_version = 1;
)";

std::string repeats_text(const std::vector<double>& repeats) {
  std::vector<std::string> words;
  for (const double value : repeats) words.push_back(number_text(value));
  return join(words, " ");
}

std::vector<double> parse_repeats(const std::string& text) {
  std::vector<double> values;
  if (text.empty()) return values;
  for (const std::string& word : split(text, ' '))
    values.push_back(parse_number(word).value_or(kNotANumber));
  return values;
}

}  // namespace

struct SqliteStore::Database {
  sqlite3* handle = nullptr;
  sqlite3_stmt* select = nullptr;
  sqlite3_stmt* insert = nullptr;
  std::string file;

  ~Database() {
    sqlite3_finalize(select);
    sqlite3_finalize(insert);
    sqlite3_close(handle);
  }

  void require(bool is_good) const {
    if (!is_good)
      throw Error{fmt::format("the store '{}' failed: {}", file, sqlite3_errmsg(handle)),
                  "is the disk full, or the file damaged? Run without --resume to begin anew"};
  }

  void execute(const char* sql) const {
    require(sqlite3_exec(handle, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
  }

  sqlite3_stmt* prepare(const char* sql) const {
    sqlite3_stmt* statement = nullptr;
    require(sqlite3_prepare_v2(handle, sql, -1, &statement, nullptr) == SQLITE_OK);
    return statement;
  }

  static void bind(sqlite3_stmt* statement, int place, const std::string& text) {
    sqlite3_bind_text(statement, place, text.data(), static_cast<int>(text.size()),
                      SQLITE_TRANSIENT);
  }

  static std::string text(sqlite3_stmt* statement, int column) {
    const auto* const begin = sqlite3_column_text(statement, column);
    return begin == nullptr ? "" : reinterpret_cast<const char*>(begin);
  }
};

SqliteStore::SqliteStore(const std::filesystem::path& file)
    : database_{std::make_unique<Database>()} {
  database_->file = file.string();
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  database_->require(sqlite3_open_v2(file.c_str(), &database_->handle, flags, nullptr) ==
                     SQLITE_OK);
  sqlite3_busy_timeout(database_->handle, 5000);
  // In WAL mode a killed process loses nothing that was committed.
  database_->execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;");
  database_->execute(kSchema);
  database_->select = database_->prepare(
      "SELECT value, repeats, seconds, invalid FROM proxy_values "
      "WHERE candidate = ?1 AND proxy = ?2");
  database_->insert =
      database_->prepare("INSERT OR REPLACE INTO proxy_values VALUES (?1, ?2, ?3, ?4, ?5, ?6)");
}

SqliteStore::~SqliteStore() = default;

std::optional<ProxyValue> SqliteStore::find(const std::string& candidate,
                                            const std::string& proxy) {
  const std::scoped_lock lock{mutex_};
  sqlite3_stmt* const query = database_->select;
  Database::bind(query, 1, candidate);
  Database::bind(query, 2, proxy);
  const int outcome = sqlite3_step(query);
  std::optional<ProxyValue> found;
  if (outcome == SQLITE_ROW) {
    found.emplace();
    if (sqlite3_column_type(query, 0) != SQLITE_NULL)
      found->value = sqlite3_column_double(query, 0);
    found->repeats = parse_repeats(Database::text(query, 1));
    found->seconds = sqlite3_column_double(query, 2);
    found->invalid = Database::text(query, 3);
  }
  database_->require(outcome == SQLITE_ROW || outcome == SQLITE_DONE);
  sqlite3_reset(query);
  return found;
}

void SqliteStore::put(const std::string& candidate, const std::string& proxy,
                      const ProxyValue& value) {
  const std::scoped_lock lock{mutex_};
  sqlite3_stmt* const insert = database_->insert;
  Database::bind(insert, 1, candidate);
  Database::bind(insert, 2, proxy);
  if (std::isnan(value.value)) {
    sqlite3_bind_null(insert, 3);
  } else {
    sqlite3_bind_double(insert, 3, value.value);
  }
  Database::bind(insert, 4, repeats_text(value.repeats));
  sqlite3_bind_double(insert, 5, value.seconds);
  Database::bind(insert, 6, value.invalid);
  const int outcome = sqlite3_step(insert);
  sqlite3_reset(insert);
  database_->require(outcome == SQLITE_DONE);
}

std::int64_t SqliteStore::size() {
  const std::scoped_lock lock{mutex_};
  sqlite3_stmt* const query = database_->prepare("SELECT COUNT(*) FROM proxy_values");
  sqlite3_step(query);
  const std::int64_t count = sqlite3_column_int64(query, 0);
  sqlite3_finalize(query);
  return count;
}

}  // namespace thimble
