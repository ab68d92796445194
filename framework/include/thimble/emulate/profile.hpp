#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/deploy/int8_network.hpp>
#include <thimble/deploy/op_shape.hpp>
#include <thimble/emulate/emulator.hpp>
#include <thimble/emulate/toolchain.hpp>

namespace thimble {

/// What an operator of the generated C costs on a core.
struct OpCount {
  OpShape op;
  std::int64_t instructions = 0;                 ///< executed
  std::map<std::string, std::uint64_t> classes;  ///< of instructions; empty without the plugin
  std::int64_t constant_bytes = 0;               ///< its weights, tables and description
  std::int64_t scratch_bytes = 0;
  std::vector<std::string> kernels;  ///< parts of the source that it needs
};

struct Profile {
  std::vector<OpCount> ops;        ///< in the order asked for
  std::vector<OpShape> too_large;  ///< for the emulated machine's memory: not among them
  std::map<std::string, std::int64_t>
      code_bytes;  ///< by kernel, once however many operators use it
};

/// What running a network on a core showed.
struct Execution {
  std::vector<std::int8_t> output;
  std::int64_t instructions = 0;                 ///< of the whole inference
  std::vector<std::int64_t> layer_instructions;  ///< one a layer
  std::int64_t stack_bytes = 0;                  ///< most in use
};

/// What a program with a network takes, read off its ELF; nothing is run and nothing is marked.
struct ProgramSize {
  std::int64_t arena_bytes = 0;
  std::int64_t ram_bytes = 0;  ///< of the whole program, without stack
  std::int64_t rom_bytes = 0;  ///< of the whole program
};

/// Runs generated C in the emulator. Thread safe. Every member throws Unsupported for a network
/// that is too large for the emulated machine, and Error when a program does not compile, crashes,
/// takes too long, or does not compute what the reference does.
class THIMBLE_EXPORT Profiler {
 public:
  /// Throws Error, naming the Debian packages, where compiler or emulator are missing.
  explicit Profiler(Core core);

  Core core() const { return core_; }
  const std::string& compiler_version() const { return toolchain_.version(); }
  /// Everything that counts depend on, besides operators: "kernels 1, gcc 12.2.1 -O2, m7".
  std::string conditions() const;

  /// Single operators with drawn weights and inputs.
  Profile profile(std::span<const OpShape> ops) const;

  /// A whole network on one input, height x width x channels values.
  Execution execute(const Int8Network& network, std::span<const std::int8_t> input) const;

  /// Many networks, an input each, in as few programs as hold them. Every network has a name of its
  /// own and finds the arena full of what others might have left there. Executions of one program
  /// share the stack's figure.
  std::vector<Execution> execute(std::span<const Int8Network> networks,
                                 std::span<const std::vector<std::int8_t>> inputs) const;

  /// Whether it is too large, as far as its shapes say: before any weights are drawn.
  void require_room(const Int8Network& skeleton) const;

  /// The same program without marks.
  ProgramSize size(const Int8Network& network) const;

 private:
  Toolchain toolchain_;
  Emulator emulator_;
  Core core_;
};

}  // namespace thimble
