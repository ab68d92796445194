#include <thimble/report/event_file.hpp>

#include <bit>
#include <cstring>
#include <string_view>

#include <boost/crc.hpp>

namespace thimble {
namespace {

// Field numbers and wire types of tensorflow/core/util/event.proto and framework/summary.proto, as
// protocol buffers write them.
constexpr char kWallTime = 0x09, kStep = 0x10, kFileVersion = 0x1a, kSummary = 0x2a;
constexpr char kValue = 0x0a, kTag = 0x0a, kSimpleValue = 0x15;

static_assert(std::endian::native == std::endian::little);

template <class Number>
std::string raw(Number number) {
  std::string bytes(sizeof number, '\0');
  std::memcpy(bytes.data(), &number, sizeof number);
  return bytes;
}

std::string varint(std::uint64_t number) {
  std::string bytes;
  for (; number >= 0x80; number >>= 7) bytes += static_cast<char>((number & 0x7f) | 0x80);
  return bytes + static_cast<char>(number);
}

std::string field(char key, std::string_view content) {
  return key + varint(content.size()) + std::string{content};
}

/// The masked CRC-32C of the TFRecord format.
std::string checksum(std::string_view bytes) {
  boost::crc_optimal<32, 0x1edc6f41, 0xffffffff, 0xffffffff, true, true> crc;
  crc.process_bytes(bytes.data(), bytes.size());
  const std::uint32_t sum = crc.checksum();
  return raw(((sum >> 15) | (sum << 17)) + 0xa282ead8U);
}

}  // namespace

EventFile::EventFile() { append(kWallTime + raw(0.0) + field(kFileVersion, "brain.Event:2")); }

void EventFile::add(std::int64_t step, const std::map<std::string, double>& values) {
  std::string summary;
  for (const auto& [tag, value] : values)
    summary += field(kValue, field(kTag, tag) + kSimpleValue + raw(static_cast<float>(value)));
  append(kWallTime + raw(static_cast<double>(step)) + kStep +
         varint(static_cast<std::uint64_t>(step)) + field(kSummary, summary));
}

void EventFile::append(const std::string& event) {
  const std::string length = raw(static_cast<std::uint64_t>(event.size()));
  bytes_ += length + checksum(length) + event + checksum(event);
}

}  // namespace thimble
