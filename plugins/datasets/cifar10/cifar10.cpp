// CIFAR-10: 60,000 photographs of 3 x 32 x 32 pixels in 10 classes. A. Krizhevsky, "Learning
// Multiple Layers of Features from Tiny Images", 2009; https://www.cs.toronto.edu/~kriz/cifar.html.
//
// Files: its binary version, records of 1 label byte and 3,072 pixels. Mean and standard deviation
// are those NAS-Bench-201 (Dong and Yang, ICLR 2020, arXiv 2001.00326) normalises with.

#include <filesystem>
#include <string>
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

  Cifar10(const Params& params, const thimble::Context& context)
      : batches_{params.batches},
        records_{
            format(),
            {training_files(params, context), kRecordsPerFile},
            {{context.data_folder / params.folder / "test_batch.bin"}, kRecordsPerFile},
            "name the folder that '" + params.folder +
                "' lies in with --data DIR, or in THIMBLE_DATA; 'make data' fetches CIFAR-10"} {}

  thimble::DatasetInfo describe() const override {
    thimble::DatasetInfo info = records_.describe();
    info.name = "cifar10";
    info.class_names = {"airplane", "automobile", "bird",  "cat",  "deer",
                        "dog",      "frog",       "horse", "ship", "truck"};
    const std::string used = std::to_string(batches_);
    if (batches_ < kTrainingFiles)
      info.remark = used + " of 5 training files, " + used + "0000 of 50000 images";
    return info;
  }

  thimble::Samples batch(thimble::Split split,
                         std::span<const std::int64_t> indices) const override {
    return records_.batch(split, indices);
  }

  std::vector<std::int64_t> labels(thimble::Split split) const override {
    return records_.labels(split);
  }

  std::uint64_t fingerprint() const override { return records_.fingerprint(); }

 private:
  static thimble::RecordFormat format() {
    return {.shape = {3, 32, 32},
            .classes = 10,
            .mean = {125.3F, 123.0F, 113.9F},
            .spread = {63.0F, 62.1F, 66.7F}};
  }

  static std::vector<std::filesystem::path> training_files(const Params& params,
                                                           const thimble::Context& context) {
    std::vector<std::filesystem::path> files;
    for (int i = 1; i <= params.batches; ++i)
      files.push_back(context.data_folder / params.folder /
                      ("data_batch_" + std::to_string(i) + ".bin"));
    return files;
  }

  int batches_;
  thimble::RecordSplits records_;
};

}  // namespace

THIMBLE_PLUGIN("cifar10", "1.0.0") {
  plugin.provides<Cifar10>("CIFAR-10: 60,000 photographs, 3x32x32, 10 classes");
}
