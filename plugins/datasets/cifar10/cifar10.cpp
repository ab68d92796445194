// CIFAR-10: 60,000 photographs of 3 x 32 x 32 pixels in 10 classes. A. Krizhevsky, "Learning
// Multiple Layers of Features from Tiny Images", 2009; https://www.cs.toronto.edu/~kriz/cifar.html.
//
// Files: its binary version, records of 1 label byte and 3,072 pixels. Mean and standard deviation
// are those NAS-Bench-201 (Dong and Yang, ICLR 2020, arXiv 2001.00326) normalises with.

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <thimble/dataset.hpp>
#include <thimble/nn/record_file.hpp>

namespace {

constexpr std::int64_t kRecordsPerFile = 10000;
constexpr int kTrainingFiles = 5;

class Cifar10 final : public thimble::Dataset {
 public:
  struct Params {
    std::string folder = "cifar10";
    int batches = kTrainingFiles;

    template <class Describe>
    static void describe(Describe& param) {
      param(&Params::folder, "folder", "where the files are, relative to the data folder");
      param(&Params::batches, "batches", "how many of the five training files to use")
          .range(1, kTrainingFiles);
    }
  };

  Cifar10(Params params, const thimble::Context& context)
      : params_{std::move(params)},
        folder_{context.data_folder / params_.folder},
        train_{open(training_files())} {
    if (std::error_code ignored; std::filesystem::exists(test_file(), ignored))
      test_.emplace(open({test_file()}));
  }

  thimble::DatasetInfo describe() const override {
    const std::string used = std::to_string(params_.batches);
    return {.name = "cifar10",
            .shape = format().shape,
            .classes = format().classes,
            .train_samples = train_.size(),
            .test_samples = test_ ? test_->size() : 0,
            .remark = params_.batches < kTrainingFiles
                          ? used + " of 5 training files, " + used + "0000 of 50000 images"
                          : ""};
  }

  thimble::Samples batch(thimble::Split split,
                         std::span<const std::int64_t> indices) const override {
    if (split == thimble::Split::train) return train_.batch(indices);
    return test_ ? test_->batch(indices) : open({test_file()}).batch(indices);
  }

 private:
  static thimble::RecordFormat format() {
    return {.shape = {3, 32, 32},
            .classes = 10,
            .mean = {125.3F, 123.0F, 113.9F},
            .spread = {63.0F, 62.1F, 66.7F}};
  }

  std::vector<std::filesystem::path> training_files() const {
    std::vector<std::filesystem::path> files;
    for (int i = 1; i <= params_.batches; ++i)
      files.push_back(folder_ / ("data_batch_" + std::to_string(i) + ".bin"));
    return files;
  }

  std::filesystem::path test_file() const { return folder_ / "test_batch.bin"; }

  thimble::RecordFiles open(const std::vector<std::filesystem::path>& files) const {
    return {format(), files, kRecordsPerFile,
            "'make data' fetches CIFAR-10; --data DIR says where '" + params_.folder + "' lies"};
  }

  Params params_;
  std::filesystem::path folder_;
  thimble::RecordFiles train_;
  std::optional<thimble::RecordFiles> test_;  // nothing when there is no such file
};

}  // namespace

THIMBLE_PLUGIN("cifar10", "1.0.0") {
  plugin.provides<Cifar10>("CIFAR-10: 60,000 photographs, 3x32x32, 10 classes");
}
