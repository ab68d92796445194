#include "params.hpp"

namespace dnas {

const std::vector<std::pair<std::string, Constraint>>& names_of(Constraint) {
  static const std::vector<std::pair<std::string, Constraint>> kNames{
      {"masked", Constraint::masked},
      {"soft_log", Constraint::soft_log},
      {"lagrangian", Constraint::lagrangian}};
  return kNames;
}

const std::vector<std::pair<std::string, Mixture>>& names_of(Mixture) {
  static const std::vector<std::pair<std::string, Mixture>> kNames{{"drawn", Mixture::drawn},
                                                                   {"soft", Mixture::soft}};
  return kNames;
}

const std::vector<std::pair<std::string, LogitOptimiser>>& names_of(LogitOptimiser) {
  static const std::vector<std::pair<std::string, LogitOptimiser>> kNames{
      {"adam", LogitOptimiser::adam}, {"sgd", LogitOptimiser::sgd}};
  return kNames;
}

}  // namespace dnas
