// CIFAR-100: 60,000 photographs of 3 x 32 x 32 pixels in 100 classes, which make 20 coarse ones.
// A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009;
// https://www.cs.toronto.edu/~kriz/cifar.html.
//
// Files: its binary version, records of a coarse and a fine label byte and 3,072 pixels. Mean and
// standard deviation are those NAS-Bench-201 (Dong and Yang, ICLR 2020, arXiv 2001.00326)
// normalises with.

#include <string>
#include <utility>
#include <vector>

#include <thimble/dataset.hpp>
#include <thimble/nn/record_file.hpp>

namespace {

constexpr std::int64_t kTrainingRecords = 50000;
constexpr std::int64_t kTestRecords = 10000;

enum class Labels { coarse, fine };

const std::vector<std::pair<std::string, Labels>>& names_of(Labels) {
  static const std::vector<std::pair<std::string, Labels>> kNames{{"fine", Labels::fine},
                                                                  {"coarse", Labels::coarse}};
  return kNames;
}

class Cifar100 final : public thimble::Dataset {
 public:
  struct Params {
    std::string folder = "cifar100";
    Labels labels = Labels::fine;

    template <class Describe>
    static void describe(Describe& param) {
      param(&Params::folder, "folder", "where the files are, relative to the data folder");
      param(&Params::labels, "labels", "the 100 fine or the 20 coarse classes");
    }
  };

  Cifar100(const Params& params, const thimble::Context& context)
      : is_fine_{params.labels == Labels::fine},
        records_{format(is_fine_),
                 {{context.data_folder / params.folder / "train.bin"}, kTrainingRecords},
                 {{context.data_folder / params.folder / "test.bin"}, kTestRecords},
                 "put the files of cifar-100-binary.tar.gz into '" + params.folder +
                     "'; --data DIR says where that lies"} {}

  thimble::DatasetInfo describe() const override {
    thimble::DatasetInfo info = records_.describe();
    info.name = "cifar100";
    if (!is_fine_) info.remark = "the 20 coarse classes";
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
  static thimble::RecordFormat format(bool is_fine) {
    return {.shape = {3, 32, 32},
            .classes = is_fine ? 100 : 20,
            .labels = 2,
            .label = is_fine ? 1 : 0,
            .mean = {129.3F, 124.1F, 112.4F},
            .spread = {68.2F, 65.4F, 70.4F}};
  }

  bool is_fine_;
  thimble::RecordSplits records_;
};

}  // namespace

THIMBLE_PLUGIN("cifar100", "1.0.0") {
  plugin.provides<Cifar100>("CIFAR-100: 60,000 photographs, 3x32x32, 100 classes");
}
