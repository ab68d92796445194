#include <thimble/train/optimiser.hpp>

#include <cmath>

#include <fmt/format.h>

#include <thimble/core/error.hpp>
#include <thimble/nn/propagation/tensor.hpp>

namespace thimble {
namespace {

// Adam's, as the paper and everybody has them.
constexpr double kSecondMomentum = 0.999;
constexpr double kAdamEpsilon = 1e-8;

/// Calls visit(node, member of its parameters) in the order that ParameterRun has.
template <class Visit>
void for_each_parameter(const Network& network, Visit visit) {
  for (NodeId id = 0; id < network.graph().size(); ++id) {
    visit(id, &Network::Parameters::weight);
    visit(id, &Network::Parameters::bias);
  }
}

/// Where gradients are; those of one run are in one place.
at::Device place_of(const Gradients& gradients) {
  for (const auto& [weight, bias] : gradients.parameters)
    if (weight.defined()) return weight.device();
  return at::kCPU;
}

/// Where a step reads and writes.
template <class Scalar>
struct Moments {
  Scalar* values;
  const Scalar* gradient;
  Scalar* first;
  Scalar* second;
};

template <class Scalar>
void sgd(const Moments<Scalar>& at, const ParameterRun& run, Scalar scale, Scalar rate,
         Scalar momentum, Scalar decay) {
  for (std::int64_t i = run.begin; i < run.end; ++i) {
    const Scalar slope = at.gradient[i] * scale + decay * at.values[i];
    at.first[i] = momentum * at.first[i] + slope;
    at.values[i] -= rate * (slope + momentum * at.first[i]);
  }
}

/// `step_size` and `second_scale` hold the corrections of moments that began at zero.
template <class Scalar>
void adamw(const Moments<Scalar>& at, const ParameterRun& run, Scalar scale, Scalar shrink,
           Scalar momentum, Scalar step_size, Scalar second_scale) {
  const auto second = static_cast<Scalar>(kSecondMomentum);
  const auto epsilon = static_cast<Scalar>(kAdamEpsilon);
  for (std::int64_t i = run.begin; i < run.end; ++i) {
    const Scalar slope = at.gradient[i] * scale;
    at.first[i] = momentum * at.first[i] + (1 - momentum) * slope;
    at.second[i] = second * at.second[i] + (1 - second) * slope * slope;
    at.values[i] = shrink * at.values[i] -
                   step_size * at.first[i] / (std::sqrt(at.second[i]) * second_scale + epsilon);
  }
}

}  // namespace

FlatParameters::FlatParameters(Network& network, const std::vector<at::Tensor*>& more)
    : network_{network} {
  std::vector<at::Tensor> parts;
  for_each_parameter(network, [&](NodeId id, auto member) {
    const at::Tensor& parameter = network.parameters(id).*member;
    if (!parameter.defined()) return;
    const std::int64_t begin = runs_.empty() ? 0 : runs_.back().end;
    const bool decays =
        member == &Network::Parameters::weight && network.graph().node(id).op != Op::batch_norm;
    runs_.push_back({begin, begin + parameter.numel(), decays, id == network.graph().output()});
    parts.push_back(parameter.detach().reshape(-1));
  });
  if (parts.empty()) throw Error{"a network without parameters cannot be trained"};
  for (const at::Tensor* const tensor : more) {
    const std::int64_t begin = runs_.back().end;
    runs_.push_back({begin, begin + tensor->numel(), false});
    parts.push_back(tensor->reshape(-1));
  }
  values_ = at::cat(parts);
  auto run = runs_.begin();
  for_each_parameter(network, [&](NodeId id, auto member) {
    at::Tensor& parameter = network.parameters(id).*member;
    if (!parameter.defined()) return;
    parameter = values_.slice(0, run->begin, run->end).view(parameter.sizes());
    ++run;
  });
  for (at::Tensor* const tensor : more) {
    *tensor = values_.slice(0, run->begin, run->end).view(tensor->sizes());
    ++run;
  }
}

at::Tensor FlatParameters::flat(const Gradients& gradients,
                                const std::vector<at::Tensor>& more) const {
  std::vector<at::Tensor> parts;
  const at::Device place = place_of(gradients);
  for_each_parameter(network_, [&](NodeId id, auto member) {
    const at::Tensor& parameter = network_.parameters(id).*member;
    if (!parameter.defined()) return;
    const at::Tensor& gradient = gradients.parameters[static_cast<std::size_t>(id)].*member;
    parts.push_back(gradient.defined()
                        ? gradient.reshape(-1)
                        : at::zeros({parameter.numel()}, parameter.options().device(place)));
  });
  for (const at::Tensor& gradient : more) parts.push_back(gradient.reshape(-1));
  return at::cat(parts);
}

Optimiser::Optimiser(const Recipe& recipe, const FlatParameters& parameters)
    : recipe_{recipe},
      parameters_{parameters},
      first_{at::zeros_like(parameters.values())},
      second_{recipe.optimiser == OptimiserKind::adamw ? at::zeros_like(first_) : at::Tensor{}},
      steps_{at::zeros({1}, at::kLong)} {}

std::int64_t Optimiser::steps() const { return steps_.item<std::int64_t>(); }

std::map<std::string, at::Tensor> Optimiser::state() const {
  std::map<std::string, at::Tensor> state{{"first_moment", first_}, {"steps", steps_}};
  if (second_.defined()) state["second_moment"] = second_;
  return state;
}

void Optimiser::step(const at::Tensor& gradient, double learning_rate) {
  const auto step = ++*steps_.data_ptr<std::int64_t>();
  const auto norm = gradient.norm().item<double>();
  if (!std::isfinite(norm))
    throw Error{fmt::format("the gradient of step {} is not finite", step),
                "take a lower learning rate, a longer warm-up, or gradient_clip"};
  const double clip = recipe_.gradient_clip;
  const double scale = clip > 0 && norm > clip ? clip / norm : 1;
  const auto all_runs = [&](auto zero) {
    using Scalar = decltype(zero);
    const auto number = [](double value) { return static_cast<Scalar>(value); };
    const Moments<Scalar> at{parameters_.values().template data_ptr<Scalar>(),
                             gradient.template data_ptr<Scalar>(),
                             first_.template data_ptr<Scalar>(),
                             second_.defined() ? second_.template data_ptr<Scalar>() : nullptr};
    const double step_size =
        learning_rate / (1 - std::pow(recipe_.momentum, static_cast<double>(step)));
    const double second_scale =
        1 / std::sqrt(1 - std::pow(kSecondMomentum, static_cast<double>(step)));
    for (const ParameterRun& run : parameters_.runs()) {
      if (recipe_.learns == Learns::last_layer && !run.is_last) continue;
      const double decay = run.decays ? recipe_.weight_decay : 0;
      if (recipe_.optimiser == OptimiserKind::sgd) {
        sgd(at, run, number(scale), number(learning_rate), number(recipe_.momentum), number(decay));
      } else {
        adamw(at, run, number(scale), number(1 - learning_rate * decay), number(recipe_.momentum),
              number(step_size), number(second_scale));
      }
    }
  };
  if (gradient.scalar_type() == at::kDouble) {
    all_runs(double{});
  } else {
    all_runs(float{});
  }
}

}  // namespace thimble
