#include <thimble/nn/record_file.hpp>

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include <thimble/core/error.hpp>
#include <thimble/core/text.hpp>
#include <thimble/nn/propagation/tensor.hpp>

namespace thimble {
namespace {

/// Opens a file of so many bytes, or says in `problem` what is there instead.
std::optional<MappedFile> open_records(const std::filesystem::path& file, std::int64_t bytes,
                                       std::string& problem) {
  try {
    MappedFile mapped{file};
    if (std::ssize(mapped.bytes()) == bytes) return mapped;
    problem = fmt::format("found {} bytes", mapped.bytes().size());
  } catch (const InputError& error) {
    problem = error.diagnostics().front().message;
  }
  return std::nullopt;
}

}  // namespace

RecordFiles::RecordFiles(RecordFormat format, const std::vector<std::filesystem::path>& files,
                         std::int64_t records_per_file, const std::string& note)
    : format_{std::move(format)}, records_per_file_{records_per_file} {
  const auto channels = static_cast<std::size_t>(format_.shape.channels);
  if (format_.shape.elements() < 1 || records_per_file < 1 || format_.label < 0 ||
      format_.label >= format_.labels || format_.mean.size() != channels ||
      format_.spread.size() != channels)
    throw Error{"a record format needs a shape, a label, and a mean and a spread for each channel"};

  const std::int64_t bytes = records_per_file * format_.bytes();
  std::vector<Diagnostic> problems;
  for (const std::filesystem::path& file : files) {
    std::string problem;
    if (auto mapped = open_records(file, bytes, problem)) {
      files_.push_back(std::move(*mapped));
      continue;
    }
    Diagnostic& found = problems.emplace_back();
    found.where.file = file.string();
    found.message = fmt::format("{}, expected {} bytes ({} records of {})", problem, bytes,
                                records_per_file, format_.bytes());
  }
  if (problems.empty()) return;
  problems.back().note = note;  // it is the same for all of them
  throw InputError{std::move(problems)};
}

std::int64_t RecordFiles::size() const noexcept {
  return static_cast<std::int64_t>(files_.size()) * records_per_file_;
}

const std::uint8_t* RecordFiles::record(std::int64_t index) const {
  const MappedFile& file = files_[static_cast<std::size_t>(index / records_per_file_)];
  return file.bytes().data() + index % records_per_file_ * format_.bytes();
}

std::int64_t RecordFiles::label(std::int64_t index) const {
  const std::int64_t label = record(index)[format_.label];
  if (label >= format_.classes) {
    Diagnostic problem;
    problem.where.file =
        files_[static_cast<std::size_t>(index / records_per_file_)].path().string();
    problem.message = fmt::format("label {} in record {} (the first is 0), expected 0 to {}", label,
                                  index % records_per_file_, format_.classes - 1);
    problem.note = "the file is damaged or in another format; fetch it again";
    throw InputError{std::move(problem)};
  }
  return label;
}

std::vector<std::int64_t> RecordFiles::labels() const {
  std::vector<std::int64_t> all;
  for (std::int64_t i = 0; i < size(); ++i) all.push_back(label(i));
  return all;
}

std::uint64_t RecordFiles::fingerprint(std::uint64_t before) const {
  for (const MappedFile& file : files_)
    before = fingerprint_of_data(std::as_bytes(file.bytes()), before);
  return before;
}

void RecordFiles::read(std::int64_t index, float* image) const {
  const std::uint8_t* pixels = record(index) + format_.labels;
  const std::int64_t pixel_count = format_.shape.pixels();
  for (std::size_t channel = 0; channel < format_.mean.size(); ++channel) {
    const float mean = format_.mean[channel], spread = format_.spread[channel];
    for (std::int64_t i = 0; i < pixel_count; ++i)
      image[i] = (static_cast<float>(pixels[i]) - mean) / spread;
    image += pixel_count;
    pixels += pixel_count;
  }
}

Samples RecordFiles::batch(std::span<const std::int64_t> indices) const {
  const at::NoGradGuard no_grad;
  const Shape& shape = format_.shape;
  const auto count = static_cast<std::int64_t>(indices.size());
  Samples samples{at::empty({count, shape.channels, shape.height, shape.width}, at::kFloat),
                  at::empty({count}, at::kLong)};
  auto* image = samples.images.data_ptr<float>();
  auto* to = samples.labels.data_ptr<std::int64_t>();
  for (const std::int64_t index : indices) {
    if (index < 0 || index >= size())
      throw Error{fmt::format("there is no sample {}, the last is {}", index, size() - 1)};
    *to++ = label(index);
    read(index, image);
    image += shape.elements();
  }
  return samples;
}

RecordSplits::RecordSplits(RecordFormat format, const RecordSet& train, RecordSet test,
                           std::string note)
    : format_{std::move(format)},
      test_set_{std::move(test)},
      note_{std::move(note)},
      train_{format_, train.files, train.records_per_file, note_} {
  std::error_code ignored;
  if (std::ranges::any_of(test_set_.files, [&](const std::filesystem::path& file) {
        return std::filesystem::exists(file, ignored);
      }))
    test_.emplace(open_test());
}

RecordFiles RecordSplits::open_test() const {
  return {format_, test_set_.files, test_set_.records_per_file, note_};
}

DatasetInfo RecordSplits::describe() const {
  DatasetInfo info;
  info.shape = format_.shape;
  info.classes = format_.classes;
  info.train_samples = train_.size();
  info.test_samples = test_ ? test_->size() : 0;
  return info;
}

std::vector<std::int64_t> RecordSplits::labels(Split split) const {
  if (split == Split::train) return train_.labels();
  return test_ ? test_->labels() : open_test().labels();
}

// Contents, since sizes and times may be those of other ones, as after a copy that keeps them. All
// of CIFAR-10, 180 MB, takes 0.05 s once the system has read it; what is read of a disk then is not
// read by the search.
std::uint64_t RecordSplits::fingerprint() const {
  const std::uint64_t train = train_.fingerprint(0);
  return test_ ? test_->fingerprint(train) : train;
}

Samples RecordSplits::batch(Split split, std::span<const std::int64_t> indices) const {
  if (split == Split::train) return train_.batch(indices);
  return test_ ? test_->batch(indices) : open_test().batch(indices);
}

}  // namespace thimble
