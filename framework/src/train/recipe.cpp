#include <thimble/train/recipe.hpp>

#include <cmath>
#include <numbers>

namespace thimble {

const std::vector<std::pair<std::string, OptimiserKind>>& names_of(OptimiserKind) {
  static const std::vector<std::pair<std::string, OptimiserKind>> kNames{
      {"sgd", OptimiserKind::sgd}, {"adamw", OptimiserKind::adamw}};
  return kNames;
}

const std::vector<std::pair<std::string, Schedule>>& names_of(Schedule) {
  static const std::vector<std::pair<std::string, Schedule>> kNames{
      {"constant", Schedule::constant},
      {"cosine", Schedule::cosine},
      {"one_cycle", Schedule::one_cycle},
      {"step", Schedule::step}};
  return kNames;
}

const std::vector<std::pair<std::string, Keep>>& names_of(Keep) {
  static const std::vector<std::pair<std::string, Keep>> kNames{{"last", Keep::last},
                                                                {"best", Keep::best}};
  return kNames;
}

const std::vector<std::pair<std::string, Learns>>& names_of(Learns) {
  static const std::vector<std::pair<std::string, Learns>> kNames{
      {"all", Learns::all}, {"last_layer", Learns::last_layer}};
  return kNames;
}

const std::vector<std::pair<std::string, QuantiseMethod>>& names_of(QuantiseMethod) {
  static const std::vector<std::pair<std::string, QuantiseMethod>> kNames{
      {"ptq", QuantiseMethod::ptq}, {"qat", QuantiseMethod::qat}};
  return kNames;
}

const std::vector<std::pair<std::string, ScaleRule>>& names_of(ScaleRule) {
  static const std::vector<std::pair<std::string, ScaleRule>> kNames{
      {"seen", ScaleRule::seen}, {"learned", ScaleRule::learned}};
  return kNames;
}

const std::vector<std::pair<std::string, PruneFrom>>& names_of(PruneFrom) {
  static const std::vector<std::pair<std::string, PruneFrom>> kNames{
      {"sparsity", PruneFrom::sparsity}, {"decisions", PruneFrom::decisions}};
  return kNames;
}

const std::vector<std::pair<std::string, PruneStart>>& names_of(PruneStart) {
  static const std::vector<std::pair<std::string, PruneStart>> kNames{{"new", PruneStart::fresh},
                                                                      {"whole", PruneStart::whole}};
  return kNames;
}

const std::vector<std::pair<std::string, PruneCriterion>>& names_of(PruneCriterion) {
  static const std::vector<std::pair<std::string, PruneCriterion>> kNames{
      {"taylor", PruneCriterion::taylor},
      {"scale", PruneCriterion::scale},
      {"l1", PruneCriterion::l1},
      {"random", PruneCriterion::random}};
  return kNames;
}

const std::vector<std::pair<std::string, PruneSchedule>>& names_of(PruneSchedule) {
  static const std::vector<std::pair<std::string, PruneSchedule>> kNames{
      {"cubic", PruneSchedule::cubic}, {"one_shot", PruneSchedule::one_shot}};
  return kNames;
}

Recipe Recipe::series() {
  Recipe recipe;
  recipe.medium = Medium::series;
  recipe.epochs = 40;
  recipe.optimiser = OptimiserKind::adamw;
  recipe.learning_rate = 2e-3;
  recipe.weight_decay = 1e-2;
  recipe.warm_up = 0.1;
  recipe.dropout = 0.3;
  return recipe;
}

double learning_rate(const Recipe& recipe, std::int64_t step, std::int64_t steps) {
  const double warm = recipe.warm_up * static_cast<double>(steps);
  const double now = static_cast<double>(step);
  if (now < warm) return recipe.learning_rate * (now + 1) / (std::floor(warm) + 1);
  // 0 with the first step behind the warm-up, 1 when all are done.
  const double done = (now - warm) / (static_cast<double>(steps) - warm);
  switch (recipe.schedule) {
    case Schedule::constant: break;
    case Schedule::cosine:
      return recipe.learning_rate * (1 + std::cos(std::numbers::pi * done)) / 2;
    case Schedule::one_cycle: return recipe.learning_rate * (1 - done);
    case Schedule::step:
      if (4 * step >= 3 * steps) return recipe.learning_rate / 100;
      if (2 * step >= steps) return recipe.learning_rate / 10;
      break;
  }
  return recipe.learning_rate;
}

}  // namespace thimble
