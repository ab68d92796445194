// Look-up tables as files: what is read is what was written, and everything else is refused at its
// line and column.

#include <thread>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include <support/program.hpp>
#include <support/world.hpp>
#include <thimble/core/csv.hpp>
#include <thimble/hardware/latency_table.hpp>
#include <thimble/hardware/row_cache.hpp>

namespace thimble::latency_table_test {
namespace {

using ::testing::HasSubstr;

constexpr const char* kConv = "conv 16x32x32 -> 8x32x32 window 3x3 stride 1x1 padding 1x1 groups 1";
constexpr const char* kHeader =
    "# thimble latency table 1\n"
    "op,target,kernels,compiler,flags,instructions,cycles,n,min,max,origin\n";

OpRow row_of(const std::string& op, double instructions) {
  OpRow row;
  row.op = op_shape_of(op);
  row.target = "m4";
  row.kernels = "ours 1";
  row.compiler = "gcc 12.2.1";
  row.flags = "-O2";
  row.instructions = instructions;
  row.origin = Origin::counted;
  return row;
}

std::string refusal(const std::string& text) {
  try {
    parse_latency_table(text, "t.csv");
  } catch (const InputError& error) {
    return error.what();
  }
  return "it was read";
}

std::string refused_row(const std::string& row) { return refusal(kHeader + row + "\n"); }

TEST(Csv, ReadsQuotesAndKeepsPlaces) {
  const CsvTable table = parse_csv("a,b,c\n1,\"x, \"\"y\"\"\",\n", "f.csv");
  EXPECT_EQ(table.rows[0][1].text, "x, \"y\"");
  EXPECT_EQ(table.rows[0][2].text, "");
  EXPECT_EQ(table.rows[0][1].where.line, 2);
  EXPECT_EQ(table.rows[0][1].where.column, 3);
  EXPECT_EQ(table.column("c"), 2U);
  EXPECT_EQ(csv_cell(table.rows[0][1].text), "\"x, \"\"y\"\"\"");
}

TEST(Csv, RefusesWhatIsNoTableAtItsPlace) {
  const auto refused = [](const std::string& text) {
    try {
      parse_csv(text, "f.csv");
    } catch (const InputError& error) {
      return std::string{error.what()};
    }
    return std::string{"it was read"};
  };
  EXPECT_THAT(refused(""), HasSubstr("f.csv:1:1: error: there is no header"));
  EXPECT_EQ(refused("\xef\xbb\xbf"
                    "a\n"),
            "it was read");
  EXPECT_THAT(refused(std::string{"\xff\xfe"
                                  "a\0\n\0",
                                  6}),
              HasSubstr("f.csv:1:1: error: text is UTF-16, not UTF-8"));
  EXPECT_THAT(
      refused("a,b\n1,93,80\n"),
      HasSubstr("f.csv:2:6: error: 3 cells, the header has 2: one too many is '80'\n  note: "
                "write numbers with"));
  EXPECT_EQ(refused("a,b\r\n1,2\r\n"), "it was read");
  EXPECT_THAT(refused("a,\rb\n1,2\n"), HasSubstr("f.csv:1:3: error: control"));
  EXPECT_THAT(refused("a,b\n1,x\u202ey\n"),
              HasSubstr("f.csv:2:4: error: control character \\u202e\n"));
  EXPECT_THAT(refused("a,b\n1\n"), HasSubstr("f.csv:2:1: error: 1 cells, the header has 2"));
  EXPECT_THAT(refused("a,b\n\n"), HasSubstr("f.csv:2:1: error: an empty line"));
  EXPECT_THAT(refused("a,a\n"), HasSubstr("f.csv:1:3: error: a second column 'a'\n  note: rename"));
  EXPECT_THAT(refused("a,\n"),
              HasSubstr("f.csv:1:3: error: a column without a name\n  note: name it"));
  EXPECT_THAT(refused("a,b\n1,\"2\n"), HasSubstr("f.csv:2:3: error: a quote is never closed"));
  EXPECT_THAT(refused("a,b\n\"1\"2,3\n"), HasSubstr("f.csv:2:4: error: text behind a closing"));
  EXPECT_THAT(refused("a,b\n1\"2,3\n"), HasSubstr("f.csv:2:2: error: a quote inside"));
  EXPECT_THAT(refused(std::string{"a\n1\0\n", 5}), HasSubstr("f.csv:2:2: error: a NUL byte"));
}

TEST(Csv, WritesNothingThatItCannotRead) {
  for (const std::string text : {"a,b", "a \"b\"", "a\tb", "é", ""})
    EXPECT_EQ(parse_csv("x,y\n" + csv_cell(text) + ",\n", "t.csv").rows.at(0).at(0).text, text);
  for (const std::string text : {"a\nb", "a\rb", "\x7f", "\x01"})
    EXPECT_THROW(csv_cell(text), Error);
}

TEST(LatencyTable, ReadsBackWhatItWrites) {
  LatencyTable table;
  OpRow full = row_of(kConv, 1234567);
  full.constant_bytes = 1300;
  full.code_bytes = {{"conv", 812}, {"requantise", 96}};
  full.classes = {{"load", 12}, {"mac", 0}};
  full.flags = "-O2 -Wl,--gc-sections";
  table.add(full);
  OpRow measured = row_of("add 8x4x4 8x4x4 -> 8x4x4", 10);
  measured.target = "my_board";
  measured.instructions.reset();
  measured.cycles = 0.1 + 0.2;
  measured.n = 5;
  measured.least = 0.25;
  measured.most = 0.5;
  measured.origin = Origin::measured;
  table.add(measured);
  const std::string text = to_csv(table);
  EXPECT_EQ(parse_latency_table(text, "t.csv"), table);
  EXPECT_EQ(to_csv(parse_latency_table(text, "t.csv")), text);
}

TEST(LatencyTable, KeepsRowsOfOtherSetupsApart) {
  LatencyTable table;
  table.add(row_of(kConv, 7));
  EXPECT_EQ(to_csv(table).find("setup"), std::string::npos) << "a column that nobody needs";
  for (const char* const setup : {"16 MHz, no wait states", "180 MHz, 5 wait states"}) {
    OpRow row = row_of(kConv, 8);
    row.setup = setup;
    table.add(row);
  }
  EXPECT_EQ(table.size(), 3U);
  EXPECT_EQ(parse_latency_table(to_csv(table), "t.csv"), table);
}

TEST(LatencyTable, DoesNotDependOnTheOrderOfItsRows) {
  LatencyTable one;
  LatencyTable other;
  const std::vector<OpRow> rows{row_of(kConv, 7), row_of("relu 8x4x4 -> 8x4x4", 5),
                                row_of("softmax 10x1x1 -> 10x1x1", 6)};
  for (const OpRow& row : rows) one.add(row);
  for (auto row = rows.rbegin(); row != rows.rend(); ++row) other.add(*row);
  EXPECT_EQ(to_csv(one), to_csv(other));
}

TEST(LatencyTable, RefusesBadRowsAtTheirPlace) {
  const std::string op = kConv;
  const std::string column =
      ":" + std::to_string(op.size() + std::string{",m4,ours 1,gcc,-O2,"}.size() + 1);
  const auto row = [&](const std::string& figures) {
    return refused_row(op + ",m4,ours 1,gcc,-O2," + figures);
  };
  EXPECT_EQ(row("5,,1,5,5,counted"), "it was read");
  EXPECT_THAT(row("-5,,1,,,counted"),
              HasSubstr("t.csv:3" + column + ": error: 'instructions' is '-5'"));
  EXPECT_THAT(row("nan,,1,,,counted"), HasSubstr("'instructions' is 'nan'"));
  EXPECT_THAT(row("inf,,1,,,counted"), HasSubstr("'instructions' is 'inf'"));
  EXPECT_THAT(row("1e999,,1,,,counted"), HasSubstr("'instructions' is '1e999'"));
  EXPECT_THAT(row("0,,1,,,counted"), HasSubstr("'instructions' is '0'"));
  EXPECT_THAT(row("5x,,1,,,counted"), HasSubstr("'instructions' is '5x'"));
  EXPECT_THAT(row(",,1,,,counted"), HasSubstr("neither instructions nor cycles"));
  EXPECT_THAT(row("5,,0,,,counted"),
              HasSubstr("'n' is '0', must be an integer in [1, 1000000000]"));
  EXPECT_THAT(row("5,,1,6,,counted"), HasSubstr("'min' is above the figure"));
  EXPECT_THAT(row("5,,1,,4,counted"), HasSubstr("'max' is below the figure"));
  EXPECT_THAT(row("5,,1,,,count"), HasSubstr("no origin is 'count'"));
  EXPECT_THAT(row("5,,1,,"), HasSubstr("10 cells, the header has 11"));
  EXPECT_THAT(refused_row("conf 1x1x1 -> 1x1x1,m4,k,c,f,5,,1,,,counted"),
              HasSubstr("t.csv:3:1: error: "));
  EXPECT_THAT(refused_row("relu 08x4x4 -> 8x4x4,m4,k,c,f,5,,1,,,counted"), HasSubstr("t.csv:3:1"));
  EXPECT_THAT(refused_row(op + ",,k,c,f,5,,1,,,counted"), HasSubstr("'target' is empty"));
}

TEST(LatencyTable, RefusesOperatorsThatCannotBe) {
  for (const std::string op : {"relu 4x4x4 -> 5x4x4", "add 8x4x4 9x4x4 -> 8x4x4",
                               "conv 3x4x4 -> 4x4x4 window 3x3 stride 1x1 padding 1x1 groups 2",
                               "conv 3x4x4 -> 4x9x9 window 3x3 stride 1x1 padding 1x1 groups 1"})
    EXPECT_THAT(refused_row(op + ",m4,k,c,f,5,,1,,,counted"),
                HasSubstr("t.csv:3:1: error: '" + op + "': "));
}

/// Sums of what is read stay exact.
TEST(LatencyTable, RefusesFiguresBeyondTheirBounds) {
  std::string header = kHeader;
  header.replace(header.find("origin"), 6, "origin,constant_bytes,code_bytes,class.load");
  const auto refused = [&](const std::string& figures) {
    return refusal(header + kConv + ",m4,k,c,f," + figures + "\n");
  };
  const std::string least = "0.001,,1,,,counted,0,conv:0,0";
  const std::string most =
      "1e12,1e12,1000000000,,,counted,4294967296,conv:4294967296,1000000000000";
  EXPECT_EQ(refused(least), "it was read");
  EXPECT_EQ(refused(most), "it was read");
  EXPECT_THAT(refused("1.1e12,,1,,,counted,,,"),
              HasSubstr("'instructions' is '1.1e12', must be a number in [0.001, 1000000000000]"));
  EXPECT_THAT(refused("1e-4,,1,,,counted,,,"), HasSubstr("'instructions' is '1e-4'"));
  EXPECT_THAT(refused(",1e300,1,,,counted,,,"), HasSubstr("'cycles' is '1e300'"));
  EXPECT_THAT(refused("5,,1,,1e300,counted,,,"), HasSubstr("'max' is '1e300'"));
  EXPECT_THAT(refused("5,,1000000001,,,counted,,,"), HasSubstr("'n' is '1000000001'"));
  EXPECT_THAT(refused("5,,1,,,counted,6000000000000000000,,"),
              HasSubstr("'constant_bytes' is '6000000000000000000', must be an integer in [0, "
                        "4294967296]"));
  EXPECT_THAT(refused("5,,1,,,counted,,add:1 conv:4294967297,"),
              HasSubstr("'conv' is '4294967297'"));
  EXPECT_THAT(refused("5,,1,,,counted,,,2000000000000"),
              HasSubstr("'class.load' is '2000000000000'"));
  EXPECT_THAT(refused_row("linear 1048576x1x1 -> 1048576x1x1,m4,k,c,f,5,,1,,,counted"),
              HasSubstr("t.csv:3:1: error: 'linear 1048576x1x1 -> 1048576x1x1' has a tensor or "
                        "weights of more than 4 GiB"));
}

TEST(LatencyTable, RefusesBadHeadersAndVersions) {
  EXPECT_THAT(refusal("op,target\n"),
              HasSubstr("t.csv:1:1: error: no latency table of this version"));
  EXPECT_THAT(refusal("# thimble latency table 2\n"), HasSubstr("t.csv:1:1"));
  EXPECT_THAT(refusal("# thimble latency table 1\r\n"),
              HasSubstr("t.csv:1:26: error: carriage return"));
  EXPECT_THAT(refusal("# thimble latency table 1\n"),
              HasSubstr("t.csv:2:1: error: there is no header"));
  std::string header = kHeader;
  header.replace(header.find("cycles"), 6, "cycle");
  EXPECT_THAT(refusal(header),
              HasSubstr("t.csv:2:47: error: unknown column 'cycle'; did you mean 'cycles'?"));
  EXPECT_THAT(refusal(header), HasSubstr("no column 'cycles'"));
}

TEST(LatencyTable, RefusesTwoFiguresForOneThing) {
  const std::string row = std::string{kConv} + ",m4,k,c,f,5,,1,,,counted\n";
  std::string other = row;
  other.replace(other.find(",5,"), 3, ",6,");
  EXPECT_EQ(refusal(kHeader + row + row), "it was read");
  EXPECT_THAT(refusal(kHeader + row + other), HasSubstr("t.csv:4:1: error: "));
  EXPECT_THAT(refusal(kHeader + row + other), HasSubstr("a second time, with other figures"));
}

TEST(LatencyTable, BetterOriginsWinWhateverComesFirst) {
  OpRow counted = row_of(kConv, 10);
  OpRow fitted = row_of(kConv, 20);
  fitted.origin = Origin::fitted;
  OpRow measured = row_of(kConv, 30);
  measured.origin = Origin::measured;
  std::vector<OpRow> rows{fitted, measured, counted};
  for (int turn = 0; turn < 3; ++turn) {
    std::rotate(rows.begin(), rows.begin() + 1, rows.end());
    LatencyTable table;
    for (const OpRow& row : rows) table.add(row);
    ASSERT_EQ(table.size(), 1U);
    EXPECT_EQ(table.rows()[0]->origin, Origin::measured);
    EXPECT_EQ(table.rows()[0]->instructions, 30);
  }
}

std::string relu_of(int channels) {
  const std::string shape = std::to_string(channels) + "x4x4";
  return "relu " + shape + " -> " + shape;
}

TEST(RowCache, KeepsTheRowsOfWritersAtTheSameTime) {
  const testing::TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "below" / "cache.csv";
  constexpr int kWriters = 4;
  constexpr int kRows = 10;
  std::vector<std::thread> writers;
  for (int writer = 0; writer < kWriters; ++writer)
    writers.emplace_back([&, writer] {
      const RowCache cache{file};
      for (int i = 1; i <= kRows; ++i) {
        const OpRow row = row_of(relu_of(writer * kRows + i), i);
        cache.add({&row, 1});
      }
    });
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(RowCache{file}.read().size(), static_cast<std::size_t>(kWriters * kRows));
}

/// The last step of writing fails, as on a file system that turns read-only.
TEST(RowCache, FailsWithAnErrorOfOursWhereItCannotBeReplaced) {
  const testing::TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "cache.csv";
  std::filesystem::create_directories(file / "below");
  EXPECT_THROW(write_latency_table(file, {}), Error);
  EXPECT_FALSE(std::filesystem::exists(file.string() + ".part" + std::to_string(::getpid())));
}

TEST(RowCache, IsMadeAnewWhenDamagedAndSaysSo) {
  const testing::TemporaryFolder folder;
  const RowCache cache{folder.path() / "cache.csv"};
  write_file(folder.path() / "cache.csv", "garbage\n");
  std::string warned;
  const auto warn = [&](const std::string& line) { warned += line; };
  EXPECT_EQ(cache.read(warn).size(), 0U);
  EXPECT_THAT(warned, HasSubstr("made anew, for it cannot be read: "));
  EXPECT_THAT(warned, HasSubstr("cache.csv:1:1: error: "));
  const OpRow row = row_of(relu_of(1), 1);
  cache.add({&row, 1});
  EXPECT_EQ(cache.read().size(), 1U);
}

TEST(RowCache, IsWholeAfterItsWriterWasKilled) {
  const testing::TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "cache.csv";
  const OpRow first = row_of(relu_of(1), 1);
  RowCache{file}.add({&first, 1});
  const pid_t writer = ::fork();
  if (writer == 0) {
    for (int i = 2;; ++i) {
      const OpRow row = row_of(relu_of(i), i);
      RowCache{file}.add({&row, 1});
    }
  }
  const auto is_growing = [&] { return RowCache{file}.read().size() < 20; };
  while (is_growing()) ::usleep(1000);
  ::kill(writer, SIGKILL);
  ::waitpid(writer, nullptr, 0);
  const std::size_t left = RowCache{file}.read().size();
  EXPECT_GE(left, 20U);
  const OpRow last = row_of(relu_of(100'000), 1);
  RowCache{file}.add({&last, 1});  // the lock is free
  EXPECT_EQ(RowCache{file}.read().size(), left + 1);
}

}  // namespace
}  // namespace thimble::latency_table_test
