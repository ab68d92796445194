#include <thimble/hardware/extra_code.hpp>

#include <cmath>
#include <utility>

namespace thimble {
namespace {

class WithExtraCode final : public Hardware {
 public:
  WithExtraCode(std::shared_ptr<const Hardware> plain, const ExtraCode& code)
      : plain_{std::move(plain)}, code_{code}, target_{plain_->target()} {
    target_.fixed_ram_bytes += code_.ram_bytes;
    target_.fixed_rom_bytes += code_.rom_bytes;
  }

  const Target& target() const override { return target_; }
  OpCost op_cost(const Graph& deployed, const Node& node) const override {
    return plain_->op_cost(deployed, node);
  }
  Cost cost(const Graph& network) const override {
    Cost cost = plain_->cost(network);
    add(code_.ram_bytes, cost.ram_bytes);
    add(code_.rom_bytes, cost.rom_bytes);
    return cost;
  }
  std::uint64_t fingerprint() const override { return plain_->fingerprint(); }

 private:
  void add(std::int64_t bytes, Figure& figure) const {
    const auto added = static_cast<double>(bytes);
    const double error =
        std::hypot(figure.value * figure.relative_error, added * code_.relative_error);
    figure.value += added;
    figure.relative_error = figure.value > 0 ? error / figure.value : 0;
  }

  std::shared_ptr<const Hardware> plain_;
  ExtraCode code_;
  Target target_;
};

}  // namespace

std::shared_ptr<const Hardware> with_extra_code(std::shared_ptr<const Hardware> plain,
                                                const ExtraCode& code) {
  return std::make_shared<const WithExtraCode>(std::move(plain), code);
}

}  // namespace thimble
