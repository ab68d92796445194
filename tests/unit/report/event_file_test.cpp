// Event files, against bytes that TensorBoard's own writer makes of the same events: the CRC of the
// TFRecord format, and protocol buffers by hand.

#include <gtest/gtest.h>

#include <thimble/report/event_file.hpp>

namespace thimble::event_file_test {
namespace {

std::string bytes(std::initializer_list<int> values) {
  std::string text;
  for (const int value : values) text += static_cast<char>(value);
  return text;
}

TEST(EventFile, BeginsWithTheVersionOfTheFormat) {
  const std::string file = EventFile{}.bytes();
  // 24 bytes, the masked CRC-32C of that number, the event, its CRC.
  ASSERT_EQ(file.size(), 8U + 4 + 24 + 4);
  EXPECT_EQ(file.substr(0, 12), bytes({24, 0, 0, 0, 0, 0, 0, 0, 0xa3, 0x7f, 0x4b, 0x22}));
  EXPECT_EQ(file.substr(12, 11), bytes({9, 0, 0, 0, 0, 0, 0, 0, 0, 0x1a, 13}));
  EXPECT_EQ(file.substr(23, 13), "brain.Event:2");
}

TEST(EventFile, TellsNumbersByTag) {
  EventFile file;
  const std::size_t before = file.bytes().size();
  file.add(300, {{"loss", 0.5}});
  const std::string event = file.bytes().substr(before + 12);
  const std::string expected = bytes({9}) + std::string("\0\0\0\0\0\xc0\x72\x40", 8) +  // 300.0
                               bytes({0x10, 0xac, 0x02, 0x2a, 13, 0x0a, 11, 0x0a, 4}) + "loss" +
                               bytes({0x15, 0, 0, 0, 0x3f});  // 0.5
  EXPECT_EQ(event.substr(0, expected.size()), expected);
  EXPECT_EQ(event.size(), expected.size() + 4);
}

}  // namespace
}  // namespace thimble::event_file_test
