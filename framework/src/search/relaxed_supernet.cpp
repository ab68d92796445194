#include "relaxed_supernet.hpp"

#include <stdexcept>

#include <thimble/core/error.hpp>
#include <thimble/core/files.hpp>
#include <thimble/train/supernet.hpp>
#include <thimble/train/task.hpp>
#include <thimble/train/training_data.hpp>

namespace thimble {
namespace {

class RelaxedSupernet final : public Relaxation {
 public:
  RelaxedSupernet(const ScoringSetup& setup, const RelaxationOrder& order,
                  std::function<void()> kept)
      : file_{setup.kept_search},
        found_{setup.found_weights},
        starts_with_search_{setup.starts_with_search},
        space_{*setup.space},
        log_{setup.log},
        on_keep_{std::move(kept)},
        alone_{recipe_alone(setup)},
        data_{*setup.dataset, setup.space->supernet()->node(0).shape, order.validation, setup.seed},
        net_{*setup.space->supernet(), *setup.task, data_,
             recipe_for(setup, order), setup.seed,  setup.jobs} {}

  std::int64_t steps_of_epoch() const override { return net_.steps_of_epoch(); }
  double learn(std::span<const Genotype> networks) override { return net_.learn(paths(networks)); }
  std::vector<double> losses(std::span<const Genotype> networks) override {
    return net_.losses(paths(networks));
  }
  double learn(std::span<const OptionNumbers> mixtures) override { return net_.learn(mixtures); }
  std::vector<MixtureLoss> losses(std::span<const OptionNumbers> mixtures) override {
    return net_.losses(mixtures);
  }
  double validate(const Genotype& network) override { return net_.validate(options_of(network)); }
  double validate_alone(const Genotype& network) override {
    return net_.validate_alone(options_of(network), alone_, starts_with_search_);
  }
  void hand_on(const Genotype& network) override {
    if (!found_.empty())
      net_.write_network(options_of(network), found_, {{"arch", space_.encode(network)}});
  }

  void keep(const NamedNumbers& numbers) override {
    if (!file_.empty()) net_.save(file_, numbers);
    on_keep_();
  }

  std::optional<NamedNumbers> kept() override {
    if (file_.empty() || !std::filesystem::exists(file_)) return {};
    try {
      auto numbers = net_.restore(file_);
      log_("the search goes on where it was kept");
      return numbers;
    } catch (const InputError& error) {
      log_("the search begins anew: " + error.diagnostics().front().message);
      return {};
    }
  }

 private:
  static Recipe recipe_alone(const ScoringSetup& setup) {
    if (setup.recipe == nullptr) return Recipe::for_medium(setup.dataset->describe().medium);
    Recipe recipe = *setup.recipe;
    recipe.prune.reset();
    recipe.quantise.reset();
    return recipe;
  }

  static Recipe recipe_for(const ScoringSetup& setup, const RelaxationOrder& order) {
    Recipe recipe = Recipe::for_medium(setup.dataset->describe().medium);
    recipe.epochs = order.epochs;
    recipe.batch = order.batch;
    recipe.gradient_clip = 5;  // narrow and wide networks pull at the same weights
    recipe.dropout = 0;
    if (order.learning_rate > 0) {
      recipe.optimiser = OptimiserKind::adamw;
      recipe.schedule = Schedule::constant;
      recipe.learning_rate = order.learning_rate;
      recipe.weight_decay = 0;
      recipe.warm_up = 0;
    }
    return recipe;
  }

  static std::vector<Path> paths(std::span<const Genotype> networks) {
    std::vector<Path> made;
    for (const Genotype& network : networks) made.push_back(options_of(network));
    return made;
  }

  std::filesystem::path file_;
  std::filesystem::path found_;
  bool starts_with_search_;
  const SearchSpace& space_;
  std::function<void(const std::string&)> log_;
  std::function<void()> on_keep_;
  Recipe alone_;
  TrainingData data_;
  Supernet net_;
};

}  // namespace

std::unique_ptr<Relaxation> relaxed_supernet(const ScoringSetup& setup,
                                             const RelaxationOrder& order,
                                             std::function<void()> kept) {
  if (setup.space->supernet() == nullptr || setup.dataset == nullptr || setup.task == nullptr)
    throw std::logic_error{
        "a searcher asks for weights without supernet, dataset and task: its needs_supernet() and "
        "needs_relaxation() must say so"};
  return std::make_unique<RelaxedSupernet>(setup, order, std::move(kept));
}

}  // namespace thimble
