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
)";

/// Of the schema; kept in the file as SQLite's user_version.
constexpr int kVersion = 1;

constexpr const char* kFull = "the disk is full: make room, and go on with --resume";

/// The next step, by what went wrong, as an extended code.
const char* note_of(int code) {
  if (code == SQLITE_IOERR_SHMSIZE) return kFull;  // what processes share grows beside the store
  constexpr int kKind = 0xff;
  switch (code & kKind) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return "another process holds it: end that, and go on with --resume";
    case SQLITE_FULL: return kFull;
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM: return "can the run's folder be written into?";
    case SQLITE_IOERR: return "does the disk work? Go on with --resume when it does";
    default: return "is the file damaged? Run without --resume to begin anew";
  }
}

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

struct Finalize {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Query = std::unique_ptr<sqlite3_stmt, Finalize>;

/// Makes a statement ready to be run again, however its use ends.
struct Reset {
  void operator()(sqlite3_stmt* statement) const { sqlite3_reset(statement); }
};
using Use = std::unique_ptr<sqlite3_stmt, Reset>;

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
                  note_of(sqlite3_extended_errcode(handle))};
  }

  void execute(const char* sql) const {
    require(sqlite3_exec(handle, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
  }

  sqlite3_stmt* prepare(const char* sql) const {
    sqlite3_stmt* statement = nullptr;
    require(sqlite3_prepare_v2(handle, sql, -1, &statement, nullptr) == SQLITE_OK);
    return statement;
  }

  void bind(sqlite3_stmt* statement, int place, const std::string& text) const {
    require(sqlite3_bind_text(statement, place, text.data(), static_cast<int>(text.size()),
                              SQLITE_TRANSIENT) == SQLITE_OK);
  }

  /// Of the four columns that a value has, from the first on.
  static ProxyValue value(sqlite3_stmt* row, int first) {
    ProxyValue value;
    if (sqlite3_column_type(row, first) != SQLITE_NULL)
      value.value = sqlite3_column_double(row, first);
    value.repeats = parse_repeats(text(row, first + 1));
    value.seconds = sqlite3_column_double(row, first + 2);
    value.invalid = text(row, first + 3);
    return value;
  }

  /// NULL for no number.
  void bind(sqlite3_stmt* statement, int place, double value) const {
    require((std::isnan(value) ? sqlite3_bind_null(statement, place)
                               : sqlite3_bind_double(statement, place, value)) == SQLITE_OK);
  }

  /// The whole number that a query has as its only row.
  std::int64_t number(const char* sql) const {
    const Query query{prepare(sql)};
    require(sqlite3_step(query.get()) == SQLITE_ROW);
    return sqlite3_column_int64(query.get(), 0);
  }

  void check_version() const {
    const std::int64_t version = number("PRAGMA user_version");
    if (version > kVersion)
      throw Error{fmt::format("the store '{}' has version {}, this thimble knows {}", file, version,
                              kVersion),
                  "go on with the thimble that wrote it, or run without --resume to begin anew"};
    if (version == 0) execute(fmt::format("PRAGMA user_version = {}", kVersion).c_str());
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
  database_->check_version();
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
  const Use use{database_->select};
  sqlite3_stmt* const query = use.get();
  database_->bind(query, 1, candidate);
  database_->bind(query, 2, proxy);
  const int outcome = sqlite3_step(query);
  std::optional<ProxyValue> found;
  if (outcome == SQLITE_ROW) found = Database::value(query, 0);
  database_->require(outcome == SQLITE_ROW || outcome == SQLITE_DONE);
  return found;
}

void SqliteStore::put(const std::string& candidate, const std::string& proxy,
                      const ProxyValue& value) {
  const std::scoped_lock lock{mutex_};
  const Use use{database_->insert};
  sqlite3_stmt* const insert = use.get();
  database_->bind(insert, 1, candidate);
  database_->bind(insert, 2, proxy);
  database_->bind(insert, 3, value.value);
  database_->bind(insert, 4, repeats_text(value.repeats));
  database_->bind(insert, 5, value.seconds);
  database_->bind(insert, 6, value.invalid);
  database_->require(sqlite3_step(insert) == SQLITE_DONE);
}

void SqliteStore::merge(const std::vector<StoredValue>& values) {
  database_->execute("BEGIN IMMEDIATE");
  try {
    for (const auto& [candidate, proxy, value] : values) {
      const auto known = find(candidate, proxy);
      if (!known) put(candidate, proxy, value);
      if (known && !is_same(*known, value))
        throw Error{fmt::format("a worker has {} for candidate '{}', the store '{}' has {}",
                                number_text(value.value), candidate, database_->file,
                                number_text(known->value)),
                    "they were computed with other arithmetic: run without --resume to begin anew"};
    }
    database_->execute("COMMIT");
  } catch (...) {
    sqlite3_exec(database_->handle, "ROLLBACK", nullptr, nullptr, nullptr);
    throw;
  }
}

std::vector<StoredValue> SqliteStore::values() {
  const std::scoped_lock lock{mutex_};
  const Query query{
      database_->prepare("SELECT candidate, proxy, value, repeats, seconds, invalid "
                         "FROM proxy_values")};
  std::vector<StoredValue> all;
  int outcome = SQLITE_ROW;
  while ((outcome = sqlite3_step(query.get())) == SQLITE_ROW)
    all.push_back({Database::text(query.get(), 0), Database::text(query.get(), 1),
                   Database::value(query.get(), 2)});
  database_->require(outcome == SQLITE_DONE);
  return all;
}

std::int64_t SqliteStore::size() {
  const std::scoped_lock lock{mutex_};
  return database_->number("SELECT COUNT(*) FROM proxy_values");
}

}  // namespace thimble
