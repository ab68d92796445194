#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <support/world.hpp>
#include <thimble/core/error.hpp>
#include <thimble/nn/dataset.hpp>

/// Files for datasets, and what they say of them.
namespace thimble::testing {

inline void write(const std::filesystem::path& file, const std::string& bytes) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream{file, std::ios::binary} << bytes;
}

/// A file of NumPy's format 1.0.
inline std::string npy(const std::string& type, const std::string& shape,
                       const std::string& elements) {
  std::string header =
      "{'descr': '" + type + "', 'fortran_order': False, 'shape': " + shape + ", }";
  header.resize(117, ' ');
  return std::string{"\x93NUMPY\x01\x00", 8} + '\x76' + '\0' + header + '\n' + elements;
}

/// Numbers one after the other, as they lie in memory.
template <class T>
std::string bytes_of(const std::vector<T>& numbers) {
  return {reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(T)};
}

inline std::int64_t count(const Dataset& dataset, Split split) {
  const DatasetInfo info = dataset.describe();
  return split == Split::train ? info.train_samples : info.test_samples;
}

inline Samples all_samples(const Dataset& dataset, Split split) {
  std::vector<std::int64_t> indices(static_cast<std::size_t>(count(dataset, split)));
  std::iota(indices.begin(), indices.end(), 0);
  return dataset.batch(split, indices);
}

/// How many samples each class has in both splits together.
inline std::vector<std::int64_t> class_counts(const Dataset& dataset) {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(dataset.describe().classes));
  for (const Split split : {Split::train, Split::test})
    for (const std::int64_t label : dataset.labels(split))
      ++counts[static_cast<std::size_t>(label)];
  return counts;
}

/// Where and what is wrong, without folders: "file:line:column: message", or "nothing".
template <class Work>
std::string problem_of(const Work& work) {
  try {
    work();
  } catch (const InputError& error) {
    Diagnostic first = error.diagnostics().front();
    if (!std::filesystem::path{first.where.file}.extension().empty() || first.where.line > 0)
      first.where.file = std::filesystem::path{first.where.file}.filename().string();
    first.note.clear();
    return to_string(first);
  }
  return "nothing";
}

}  // namespace thimble::testing
