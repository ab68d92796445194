#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/graph/graph.hpp>
#include <thimble/train/recipe.hpp>

namespace thimble {

class Task;
class TrainingData;

/// A network of a supernet: an option for each decision.
using Path = std::vector<int>;

/// A loss, and its gradient by what options count for in a mixture.
struct MixtureLoss {
  double loss = 0;
  OptionNumbers by_share;
};

/// The weights that all networks of a supernet share, by the names of their nodes; narrow ones have
/// the first channels of wide ones (one-shot search: Guo et al., arXiv 1904.00420). What is not
/// on a path costs no time. Everything hangs on the seed and not on `jobs`. Its functions throw
/// Error for paths without a way from the input to the output.
class THIMBLE_EXPORT Supernet {
 public:
  /// All outlive this. Throws Error where they do not fit, or no validation part is set aside.
  Supernet(const Graph& graph, const Task& task, const TrainingData& data, const Recipe& recipe,
           std::uint64_t seed, int jobs);
  ~Supernet();
  Supernet(const Supernet&) = delete;
  Supernet& operator=(const Supernet&) = delete;

  /// Steps in which the samples that weights learn from are gone through.
  std::int64_t steps_of_epoch() const;
  /// A step of the weights, by the recipe: the next batch, a part of it through each path, with
  /// batch norm's statistics of that part. Returns the mean loss. Throws Error when it is not
  /// finite.
  double learn(std::span<const Path> paths);
  /// The mean loss of each path on the same batch, the next one of the validation part.
  std::vector<double> losses(std::span<const Path> paths);

  /// A step of the weights as above, with a part of the batch through each mixture: all options
  /// run, wide ones whole, and add up by their shares.
  double learn(std::span<const OptionNumbers> mixtures);
  /// The mean loss of each mixture on its part of the next batch of the validation part, and the
  /// gradient of that.
  std::vector<MixtureLoss> losses(std::span<const OptionNumbers> mixtures);

  /// The task's first metric on the whole validation part, with statistics of training samples.
  double validate(const Path& path) const;
  /// The same of a network that is trained by itself on the same samples: from new weights, or from
  /// those that it has here.
  double validate_alone(const Path& path, const Recipe& recipe, bool starts_shared) const;

  /// A file of the weights that a network has here, as write_trained() names them.
  void write_network(const Path& path, const std::filesystem::path& file,
                     const std::map<std::string, std::string>& about) const;

  /// Keeps what the steps to come depend on, and numbers of the caller's beside it.
  void save(const std::filesystem::path& file,
            const std::map<std::string, std::vector<double>>& numbers) const;
  /// Goes on from there. Throws InputError when the file is damaged, Error when it is of another
  /// supernet.
  std::map<std::string, std::vector<double>> restore(const std::filesystem::path& file);

 private:
  class Weights;
  std::unique_ptr<Weights> weights_;
};

}  // namespace thimble
