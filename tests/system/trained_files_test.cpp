// What a training leaves for others to read: TensorBoard's event files and files of safetensors,
// read here as their formats are written down, by no code of ours; and learning curves.

#include <cstdint>
#include <cstring>
#include <map>
#include <set>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <support/training_run.hpp>
#include <thimble/core/csv.hpp>
#include <thimble/core/process.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/search_space.hpp>
#include <thimble/train/trained_network.hpp>

namespace thimble::trained_files_test {
namespace {

namespace fs = std::filesystem;
using testing::content;

template <class Number>
Number number_at(std::string_view bytes, std::size_t place) {
  Number number{};
  EXPECT_LE(place + sizeof number, bytes.size());
  std::memcpy(&number, bytes.substr(place).data(), sizeof number);
  return number;
}

/// As TFRecord files have it: CRC-32C, bit by bit, turned and moved.
std::uint32_t masked_crc(std::string_view bytes) {
  std::uint32_t crc = 0xffffffffU;
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = crc & 1U ? crc >> 1U ^ 0x82f63b78U : crc >> 1U;
  }
  crc = ~crc;
  return (crc >> 15U | crc << 17U) + 0xa282ead8U;
}

/// The records of a file, each between its length and its check sum.
std::vector<std::string_view> records_of(std::string_view file) {
  std::vector<std::string_view> records;
  while (!file.empty()) {
    const auto length = number_at<std::uint64_t>(file, 0);
    EXPECT_EQ(number_at<std::uint32_t>(file, 8), masked_crc(file.substr(0, 8)));
    const std::string_view record = file.substr(12, length);
    EXPECT_EQ(number_at<std::uint32_t>(file, 12 + length), masked_crc(record));
    records.push_back(record);
    file.remove_prefix(12 + length + 4);
  }
  return records;
}

/// A field of a message of protocol buffers: a whole number, or bytes.
struct Field {
  std::uint64_t number = 0;
  std::uint64_t value = 0;
  std::string_view bytes;
};

std::uint64_t varint(std::string_view& rest) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; !rest.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(rest.front());
    rest.remove_prefix(1);
    value |= std::uint64_t{byte & 0x7fU} << shift;
    if (byte < 0x80) break;
  }
  return value;
}

std::vector<Field> fields_of(std::string_view message) {
  std::vector<Field> fields;
  while (!message.empty()) {
    const std::uint64_t key = varint(message);
    Field field;
    field.number = key >> 3U;
    if ((key & 7U) == 0) {
      field.value = varint(message);
    } else {
      std::uint64_t size = 0;
      switch (key & 7U) {
        case 1: size = 8; break;
        case 2: size = varint(message); break;
        case 5: size = 4; break;
        default: ADD_FAILURE() << "no such type of field: " << (key & 7U);
      }
      field.bytes = message.substr(0, size);
      message.remove_prefix(size);
    }
    fields.push_back(field);
  }
  return fields;
}

/// Tags and values by step, of event.proto and summary.proto: Event {1: wall_time, 2: step, 3:
/// file_version, 5: Summary {1: Value {1: tag, 2: simple_value}}}.
std::map<std::uint64_t, std::map<std::string, float>> events_of(const std::string& file) {
  std::map<std::uint64_t, std::map<std::string, float>> events;
  const auto records = records_of(file);
  EXPECT_THAT(std::string{records.front()}, ::testing::EndsWith("brain.Event:2"));
  for (std::size_t i = 1; i < records.size(); ++i) {
    std::uint64_t step = 0;
    std::string_view summary;
    for (const Field& field : fields_of(records[i])) {
      if (field.number == 2) step = field.value;
      if (field.number == 5) summary = field.bytes;
    }
    for (const Field& value : fields_of(summary)) {
      std::string tag;
      float number = 0;
      for (const Field& part : fields_of(value.bytes)) {
        if (part.number == 1) tag = std::string{part.bytes};
        if (part.number == 2) number = number_at<float>(part.bytes, 0);
      }
      events[step][tag] = number;
    }
  }
  return events;
}

class TrainedFiles : public testing::TrainingRun {};

constexpr const char* kTrain =
    "'train={profile: series, epochs: 3, seeds: [1, 2], validation: 0.2}' ";

TEST_F(TrainedFiles, LeavesEventsThatSayWhatItsHistorySays) {
  const fs::path made = folder(run(kTrain));
  const CsvTable history = parse_csv(content(made / "history.csv"), "history.csv");
  ASSERT_EQ(history.rows.size(), 6U);
  const std::map<std::string, std::string> columns{{"learning_rate", "learning_rate"},
                                                   {"train/loss", "train_loss"},
                                                   {"train/accuracy", "train_metric"},
                                                   {"validation/accuracy", "validation_metric"}};
  for (const auto& row : history.rows) {
    const auto cell = [&](const std::string& name) { return row[history.column(name)].text; };
    const auto events = events_of(
        content(made / "tensorboard" / ("1-" + cell("seed")) / "events.out.tfevents.0.thimble"));
    ASSERT_EQ(events.size(), 3U);
    const auto& values = events.at(std::stoull(cell("epoch")));
    EXPECT_EQ(values.size(), columns.size());
    for (const auto& [tag, column] : columns)
      EXPECT_EQ(values.at(tag), static_cast<float>(std::stod(cell(column)))) << tag;
  }
}

/// A tensor of a file of safetensors, as its header has it.
struct Stored {
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};

/// Eight bytes that say how long the header is, the header, and numbers without a gap.
std::map<std::string, Stored> tensors_of(const std::string& file) {
  std::map<std::string, Stored> tensors;
  const auto length = number_at<std::uint64_t>(file, 0);
  const auto header = nlohmann::json::parse(file.substr(8, length));
  const std::string_view body = std::string_view{file}.substr(8 + length);
  EXPECT_EQ((8 + length) % 8, 0U);
  std::set<std::pair<std::size_t, std::size_t>> places;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    const auto begin = entry["data_offsets"][0].get<std::size_t>();
    const auto end = entry["data_offsets"][1].get<std::size_t>();
    places.emplace(begin, end);
    if (name.starts_with("training/")) continue;  // what became of it, no weights
    EXPECT_EQ(entry["dtype"], "F32") << name;
    Stored& tensor = tensors[name];
    tensor.shape = entry["shape"].get<std::vector<std::int64_t>>();
    std::size_t count = 1;
    for (const std::int64_t size : tensor.shape) count *= static_cast<std::size_t>(size);
    EXPECT_EQ(end - begin, 4 * count) << name;
    for (std::size_t i = 0; i < count; ++i)
      tensor.values.push_back(number_at<float>(body, begin + 4 * i));
  }
  std::size_t next = 0;
  for (const auto& [begin, end] : places) {
    EXPECT_EQ(begin, next);
    next = end;
  }
  EXPECT_EQ(next, body.size());
  return tensors;
}

TEST_F(TrainedFiles, LeavesWeightsThatAnyReaderOfTheFormatReads) {
  const fs::path file = folder(run(kTrain)) / "weights" / "1-1.safetensors";
  const auto found = tensors_of(content(file));
  const std::map<std::string, std::vector<std::int64_t>> some{{"conv1.weight", {16, 1, 5, 9}},
                                                              {"conv4.weight", {32, 16, 5, 1}},
                                                              {"batch_norm8.running_var", {64}},
                                                              {"linear11.weight", {6, 64}},
                                                              {"linear11.bias", {6}}};
  for (const auto& [name, shape] : some) EXPECT_EQ(found.at(name).shape, shape) << name;
  EXPECT_EQ(found.size(), 3U + 3 * 4 + 2) << "convolutions, batch norms, the classifier";
  PluginLoader loader = testing::plugins();
  const auto zoo = testing::make<SearchSpace>(loader, "zoo", "{networks: [cnn_1d]}");
  const TrainedNetwork evaluated = read_trained(live(zoo->build(Genotype{0})), file);
  const auto expected = named_weights(evaluated.network);
  EXPECT_EQ(expected.size(), found.size());
  for (const auto& [name, tensor] : expected) {
    ASSERT_TRUE(found.contains(name)) << name;
    const auto& [shape, values] = found.at(name);
    EXPECT_EQ(shape, tensor.sizes().vec()) << name;
    const at::Tensor numbers = tensor.contiguous();
    EXPECT_EQ(values, (std::vector<float>{numbers.data_ptr<float>(),
                                          numbers.data_ptr<float>() + numbers.numel()}))
        << name;
  }
}

TEST_F(TrainedFiles, DrawsItsLearningCurves) {
  const fs::path figures = folder(run(kTrain)) / "figures";
  for (const std::string name : {"training_loss", "training_accuracy", "validation_accuracy"}) {
    const std::string script = content(figures / (name + ".gp"));
    EXPECT_THAT(script, ::testing::HasSubstr("plot $training0 using 1:2")) << name;
    EXPECT_THAT(script, ::testing::HasSubstr("$training1 using 1:2")) << "a line a seed";
    if (!find_program("gnuplot")) continue;  // scripts draw elsewhere
    EXPECT_TRUE(content(figures / (name + ".png")).starts_with("\x89PNG")) << name;
  }
}

}  // namespace
}  // namespace thimble::trained_files_test
