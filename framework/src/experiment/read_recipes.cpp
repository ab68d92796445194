// How networks are trained on each dataset of an experiment, and whether that holds together.

#include <algorithm>
#include <initializer_list>

#include <fmt/format.h>

#include <thimble/core/text.hpp>
#include <thimble/nn/dataset.hpp>

#include "reading.hpp"

namespace thimble {
namespace {

/// Those of the keys that do not have their default values.
template <class T>
std::vector<std::string> changed(const T& given, std::initializer_list<const char*> keys) {
  const Value own = write_params(given), plain = write_params(T{});
  std::vector<std::string> made;
  for (const char* const key : keys)
    if (detail::one_line(*own.find(key)) != detail::one_line(*plain.find(key)))
      made.emplace_back(key);
  return made;
}

/// The recipe of one dataset.
class RecipeReader {
 public:
  RecipeReader(Reading& reading, Study::TrainedOn& on)
      : reading_{reading}, study_{reading.study}, on_{on}, recipe_{on.recipe} {}

  void read() {
    if (on_.changes.is_map())
      read_fields(on_.changes, schema_of(recipe_), "'recipe'", reading_.problems);
    else if (!on_.changes.is_null())
      error(on_.changes, "'recipe' must be a map, found " + on_.changes.found(),
            "write recipe: {epochs: 30, ...}");
    check_shift();
    if (recipe_.keep == Keep::best && recipe_.validation == 0)
      error(at("keep"), "the best epoch is told by a validation part, and there is none",
            "set some aside: validation: 0.1");
    if (recipe_.micro_batches > recipe_.batch)
      error(at("micro_batches"),
            fmt::format("{} micro-batches of a batch of {}", recipe_.micro_batches, recipe_.batch),
            fmt::format("a micro-batch has a sample at least: micro_batches: {}", recipe_.batch));
    remark_on_augmentation();
    if (recipe_.prune) check_prune(*recipe_.prune);
    if (recipe_.quantise) remark_on_quantise(*recipe_.quantise);
  }

 private:
  void error(const Value& where, const std::string& message, const std::string& note) {
    reading_.problems.error(where.where(), message, note);
  }

  /// Once for all datasets.
  void remark(const std::string& text) {
    if (std::ranges::find(study_.remarks, text) == study_.remarks.end())
      study_.remarks.push_back(text);
  }

  /// The value of a key where it is written: for this dataset, for all, or nowhere.
  const Value* written(const char* key) const {
    const Value* const own = on_.changes.is_map() ? on_.changes.find(key) : nullptr;
    return own != nullptr ? own : reading_.settings.train.find(key);
  }

  const Value& at(const char* key) const {
    const Value* const found = written(key);
    return found != nullptr ? *found : reading_.settings.train;
  }

  /// Windows may be as short as the default shift. One that is written is refused instead.
  void check_shift() {
    if (recipe_.medium != Medium::series) return;
    const Shape shape = on_.dataset->describe().shape;
    const int steps = shape.height == 1 ? shape.width : shape.height;
    int& shift = recipe_.augmentation.time_shift;
    if (shift < steps) return;
    const int shorter = (steps - 1) / 4;
    const Value* const augmentation = written("augmentation");
    if (augmentation != nullptr && augmentation->find("time_shift") != nullptr)
      return error(*augmentation,
                   fmt::format("a shift of {} samples, and windows of {}", shift, steps),
                   fmt::format("shift by fewer: augmentation: {{time_shift: {}}}", shorter));
    remark(fmt::format("windows have {}: training shifts them by at most {}, not by {}",
                       count_text(steps, "step"), shorter, shift));
    shift = shorter;
  }

  void check_prune(const Prune& prune) {
    const Value& given = at("prune");
    if (prune.begin >= prune.end)
      error(
          given,
          fmt::format("masking begins at {} and ends at {} of the epochs", prune.begin, prune.end),
          "let it begin before: prune: {begin: 0.1, end: 0.6}");
    if (prune.from == PruneFrom::sparsity) {
      if (prune.sparsity == 0) remark("'prune' takes no channels: its 'sparsity' is 0");
      return;
    }
    if (given.is_map() && given.find("sparsity") != nullptr)
      error(given, "decisions say what share of the channels goes, and 'sparsity' says another",
            "leave one of them out: prune: {from: decisions}, or prune: {sparsity: 0.5}");
    Genotype first;
    for (const Decision& decision : on_.space->decisions()) first.push_back(decision.first());
    if (!on_.space->unpruned(first))
      error(given,
            fmt::format("no decision of search space '{}' prunes",
                        reading_.settings.search_space.find("use")->text()),
            "say the share here: prune: {sparsity: 0.5}");
  }

  template <class T>
  void remark_on(const char* what, const T& given, std::initializer_list<const char*> keys,
                 const char* why) {
    for (const std::string& key : changed(given, keys))
      remark(fmt::format("'{}' of '{}' changes nothing: {}", key, what, why));
  }

  void remark_on_augmentation() {
    if (recipe_.medium == Medium::series)
      remark_on("augmentation", recipe_.augmentation, {"flip", "crop", "cutout", "zoom", "colour"},
                "it is for images");
    else
      remark_on("augmentation", recipe_.augmentation, {"time_shift", "scale", "noise"},
                "it is for series");
  }

  void remark_on_quantise(const Quantise& quantise) {
    if (quantise.method == QuantiseMethod::ptq)
      remark_on("quantise", quantise, {"epochs", "learning_rate", "scales", "frozen_from"},
                "it is for method: qat");
    else if (quantise.scales == ScaleRule::learned)
      remark_on("quantise", quantise, {"frozen_from"}, "scales are learned to the end");
    if (quantise.ranges != RangeRule::percentile)
      remark_on("quantise", quantise, {"percentile"}, "it is for ranges: percentile");
  }

  Reading& reading_;
  Study& study_;
  Study::TrainedOn& on_;
  Recipe& recipe_;
};

}  // namespace

void read_recipes(Reading& reading, const Recipe& common) {
  for (Study::TrainedOn& on : reading.study.trained_on) {
    on.recipe = common;
    RecipeReader{reading, on}.read();
  }
}

}  // namespace thimble
