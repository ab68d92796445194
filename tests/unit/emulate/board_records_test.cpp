// What another project's program printed into a file: whatever is wrong in it is told at its place.

#include <string>

#include <support/world.hpp>
#include <thimble/emulate/board_profile.hpp>

namespace thimble::board_records_test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char* kBegin =
    R"({"profile":"begin","operators":1,"kernels":"k","compiler":"c","flags":"f",)"
    R"("clock":"cycles","part":3108})";
constexpr const char* kEnd = R"({"profile":"end"})";

std::string printed(const std::string& record, const std::string& begin = kBegin) {
  return "boot \xff\n  " + begin + "\r\n" + record + "\r\n" + kEnd + "\n";
}

std::string op_record(const std::string& op) {
  return R"({"profile":"operator","op":")" + op + R"(","checksum":1,"ticks":[5]})";
}

std::string refusal(const std::string& text) {
  try {
    parse_board_records(text, Core::m4, "printed.txt");
  } catch (const InputError& error) {
    EXPECT_FALSE(error.diagnostics().front().note.empty());
    return to_string(error.diagnostics().front());
  }
  return "it was read";
}

TEST(BoardRecords, AreRefusedAtTheirPlace) {
  EXPECT_THAT(refusal(""), StartsWith("printed.txt: error: the firmware printed no records"));
  EXPECT_THAT(refusal(std::string{"\xff\xfe{\0", 4}),
              StartsWith("printed.txt:1:1: error: text is"));
  EXPECT_THAT(refusal(printed(R"({"profile":"operator","op)")),
              StartsWith("printed.txt:3:1: error: a line of the firmware's records is garbled"));
  EXPECT_THAT(refusal(printed("")), StartsWith("printed.txt:4:1: error: the firmware's records"));
  EXPECT_THAT(refusal(std::string{"boot\n"} + kBegin + "\n"),
              StartsWith("printed.txt:2:1: error: the firmware's records stop"));
  EXPECT_THAT(refusal(printed(R"({"thimble":"fault","pc":1})")),
              StartsWith("printed.txt:3:1: error: the firmware crashed"));
  EXPECT_THAT(refusal(printed(op_record("relu 4x4x4 -> 5x4x4"))),
              StartsWith("printed.txt:3:43: error: 'relu 4x4x4 -> 5x4x4': "));
  EXPECT_THAT(refusal(printed(op_record("relu 4x4x4 -> 4x4x4"))),
              StartsWith("printed.txt:3:29: error: 'relu 4x4x4 -> 4x4x4' on the board does not"));
  std::string other = kBegin;
  other.replace(other.find("3108"), 4, "3107");
  EXPECT_THAT(refusal(printed(op_record("relu 4x4x4 -> 4x4x4"), other)),
              StartsWith("printed.txt:2:3: error: the program ran on a processor with part"));
}

/// An editor's mark does not hide the first line.
TEST(BoardRecords, MayBeSavedByAnEditor) {
  EXPECT_THAT(refusal(std::string{"\xef\xbb\xbf"} + kBegin + "\n"),
              HasSubstr("printed.txt:1:1: error: the firmware's records stop"));
}

}  // namespace
}  // namespace thimble::board_records_test
