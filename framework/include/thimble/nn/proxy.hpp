#pragma once

#include <span>
#include <utility>

#include <thimble/core/direction.hpp>
#include <thimble/core/export.hpp>
#include <thimble/core/kind.hpp>
#include <thimble/nn/dataset.hpp>
#include <thimble/nn/observation.hpp>
#include <thimble/nn/pass.hpp>

namespace thimble {

/// A number read off an untrained network that predicts its accuracy. const is thread safe.
class THIMBLE_EXPORT Proxy {
 public:
  using Interface = Proxy;
  static constexpr Kind kKind = Kind::proxy;
  virtual ~Proxy();

  /// Which way is better. Required: yes.
  virtual Direction direction() const = 0;
  /// The conditions it looks under. Required: yes.
  virtual Pass pass() const = 0;
  /// What of them it reads. Required: no. Default: nothing; see Reads.
  virtual Reads reads() const;
  /// The score of one repeat. A value that is not finite makes the candidate invalid; an Error
  /// thrown does so too, with its text as the reason. Required: yes.
  virtual double score(Observation& seen) const = 0;
  /// One value of all repeats. Required: no. Default: the mean.
  virtual double combine(std::span<const double> repeats) const;
  /// Whether networks with open choices can be scored. Required: no. Default: yes.
  virtual bool accepts_supernets() const;
};

/// A proxy that keeps its parameters, a described struct with a Pass of the name `pass`.
template <class Described>
class ProxyWith : public Proxy {
 public:
  using Params = Described;
  explicit ProxyWith(Params params) : params_{std::move(params)} {}
  Pass pass() const override { return params_.pass; }

 protected:
  const Params& params() const noexcept { return params_; }

 private:
  Params params_;
};

/// The parameters of a proxy that has none but how it looks.
struct PassParams {
  Pass pass;

  template <class Describe>
  static void describe(Describe& param) {
    param.include(&PassParams::pass);
  }
};

/// The same of one that looks at one batch.
struct OneBatchParams {
  Pass pass;

  template <class Describe>
  static void describe(Describe& param) {
    param.include(&OneBatchParams::pass, {"batches"});
  }
};

}  // namespace thimble
