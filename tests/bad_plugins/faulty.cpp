// A proxy that fails where and how it is told to.
#include <cmath>
#include <csignal>
#include <stdexcept>

#include <thimble/core/error.hpp>
#include <thimble/graph/counts.hpp>
#include <thimble/proxy.hpp>

namespace {

enum class Place { nowhere, constructor, pass, score, combine };
enum class Fault { error, file_error, standard, integer, nan, abort };

const std::vector<std::pair<std::string, Place>>& names_of(Place) {
  static const std::vector<std::pair<std::string, Place>> names{{"nowhere", Place::nowhere},
                                                                {"constructor", Place::constructor},
                                                                {"pass", Place::pass},
                                                                {"score", Place::score},
                                                                {"combine", Place::combine}};
  return names;
}

const std::vector<std::pair<std::string, Fault>>& names_of(Fault) {
  static const std::vector<std::pair<std::string, Fault>> names{
      {"error", Fault::error},       {"file_error", Fault::file_error},
      {"standard", Fault::standard}, {"integer", Fault::integer},
      {"nan", Fault::nan},           {"abort", Fault::abort}};
  return names;
}

class Faulty final : public thimble::Proxy {
 public:
  struct Params {
    Place place = Place::nowhere;
    Fault fault = Fault::error;
    std::int64_t params = 0;

    template <class Describe>
    static void describe(Describe& param) {
      param(&Params::place, "place", "where to fail");
      param(&Params::fault, "fault", "what to throw or return");
      param(&Params::params, "params", "of the networks to fail on; 0: all");
    }
  };

  explicit Faulty(const Params& params) : params_{params} { at(Place::constructor); }

  thimble::Direction direction() const override { return thimble::Direction::maximize; }
  thimble::Pass pass() const override {
    at(Place::pass);
    thimble::Pass pass;
    pass.batch = 2;
    return pass;
  }
  double score(thimble::Observation& seen) const override {
    const bool is_meant =
        params_.params == 0 || thimble::params(seen.network().graph()) == params_.params;
    return is_meant ? at(Place::score) : 1;
  }
  double combine(std::span<const double> repeats) const override {
    return repeats[0] + at(Place::combine);
  }

 private:
  double at(Place place) const {
    if (place != params_.place) return 1;
    switch (params_.fault) {
      case Fault::error: throw thimble::Error{"these do not fit together"};
      case Fault::file_error:
        throw thimble::InputError{thimble::Diagnostic{{"table.txt", 7, 3}, "no such row", ""}};
      case Fault::standard: throw std::runtime_error{"the sky has fallen"};
      case Fault::integer: throw 42;
      case Fault::nan: return std::nan("");
      case Fault::abort: std::raise(SIGABRT);
    }
    return 1;
  }

  Params params_;
};

}  // namespace

THIMBLE_PLUGIN("faulty", "1.2.3") { plugin.provides<Faulty>("fails as it is told to"); }
