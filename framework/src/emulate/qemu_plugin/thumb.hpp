// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstdint>

/// Which kind of work a Thumb instruction is. Source: Armv8-M Architecture Reference Manual
/// (DDI 0553), chapter C2, and Armv7-M (DDI 0403), chapter A5.
namespace thimble {

enum class InstructionClass : std::uint8_t {
  alu,
  load,
  store,
  multiple,  ///< several registers: ldm, stm, push, pop, ldrd, strd
  branch,
  call,
  mul,
  mac,
  long_mul,
  dsp_mul,  ///< of half words: smlad, smulbb, ...; and smmul
  div,
  extend,
  it,
  fp,
  mve,
  other,  ///< hints, barriers, system registers, bkpt
};

inline constexpr std::array kInstructionClassNames{
    "alu",      "load",    "store", "multiple", "branch", "call", "mul", "mac",
    "long_mul", "dsp_mul", "div",   "extend",   "it",     "fp",   "mve", "other"};
inline constexpr std::size_t kInstructionClasses = kInstructionClassNames.size();

namespace thumb {

using Half = std::uint32_t;  // 16 bits of an instruction

constexpr Half bits(Half half, int high, int low) {
  return (half >> low) & ((1U << (high - low + 1)) - 1);
}

constexpr InstructionClass of_miscellaneous(Half half) {  // 1011 xxxx
  using enum InstructionClass;
  switch (bits(half, 11, 8)) {
    case 0x1:
    case 0x3:
    case 0x9:
    case 0xb: return branch;  // cbz, cbnz
    case 0x2: return extend;
    case 0x4:
    case 0x5:
    case 0xc:
    case 0xd: return multiple;  // push, pop
    case 0x6:
    case 0xe: return other;  // cps, bkpt
    case 0xf: return bits(half, 3, 0) != 0 ? it : other;
    default: return alu;
  }
}

constexpr InstructionClass of_narrow(Half half) {
  using enum InstructionClass;
  const Half top = bits(half, 15, 12);
  if (top < 4) return alu;
  if (top == 4) {
    if (bits(half, 11, 11) == 1) return load;  // literal
    if (bits(half, 11, 10) == 0) return bits(half, 9, 6) == 13 ? mul : alu;
    if (bits(half, 9, 8) == 3) return bits(half, 7, 7) == 1 ? call : branch;  // blx, bx
    return (half & 0xff87) == 0x4687 ? branch : alu;                          // mov pc
  }
  if (top == 5) return bits(half, 11, 9) < 3 ? store : load;
  if (top <= 9) return bits(half, 11, 11) == 1 ? load : store;
  if (top == 10) return alu;  // addresses
  if (top == 11) return of_miscellaneous(half);
  if (top == 12) return multiple;
  if (top == 13) return bits(half, 11, 8) < 14 ? branch : other;  // udf, svc
  return branch;
}

constexpr InstructionClass of_pair(Half first, Half second) {  // 1110 100x x1xx
  using enum InstructionClass;
  if ((first & 0xfff0) == 0xe8d0 && (second & 0xffe0) == 0xf000) return branch;  // tbb, tbh
  if ((first & 0xfff0) == 0xe840 && (second & 0xf03f) == 0xf000) return other;   // tt
  if ((first & 0x0120) != 0) return multiple;                                    // ldrd, strd
  return bits(first, 4, 4) == 1 ? load : store;  // exclusive, acquire, release
}

constexpr InstructionClass of_control(Half first, Half second) {  // 1111 0xxx with 1xxx
  using enum InstructionClass;
  switch (second & 0xd000) {
    case 0xd000: return call;
    case 0x9000: return branch;
    case 0xc000:  // loops of Armv8.1-M; vctp among them
      return (second & 0xf801) == 0xe801 && bits(first, 7, 6) == 0 ? mve : branch;
    default: return bits(first, 9, 7) == 7 ? other : branch;
  }
}

constexpr InstructionClass of_multiplication(Half first, Half second) {  // 1111 1011
  using enum InstructionClass;
  const Half operation = bits(first, 6, 4);
  if (bits(first, 7, 7) == 0) {
    if (operation != 0) return dsp_mul;
    return bits(second, 7, 4) == 0 && bits(second, 15, 12) == 15 ? mul : mac;
  }
  if (operation == 1 || operation == 3) return div;
  const bool is_of_half_words = operation == 5 || (operation == 4 && bits(second, 7, 4) != 0);
  return is_of_half_words ? dsp_mul : long_mul;
}

/// The scalar floating point unit is coprocessor 9 to 11; what else there is, is Helium. vdup has
/// the number of the former.
constexpr InstructionClass of_coprocessor(Half first, Half second) {
  using enum InstructionClass;
  const Half coprocessor = bits(second, 11, 8);
  const bool is_vector = bits(first, 9, 8) == 3 || coprocessor < 9 || coprocessor > 11;
  const bool is_vdup = (first & 0xff90) == 0xee80 && coprocessor == 11 && bits(second, 4, 4) == 1;
  return is_vector || is_vdup ? mve : fp;
}

constexpr InstructionClass of_wide(Half first, Half second) {
  using enum InstructionClass;
  const Half group = bits(first, 12, 11);
  if (group == 2) return bits(second, 15, 15) == 1 ? of_control(first, second) : alu;
  if (bits(first, 10, 10) == 1) return of_coprocessor(first, second);
  if (group == 1) {
    if (bits(first, 9, 9) == 1) return alu;
    return bits(first, 6, 6) == 1 ? of_pair(first, second) : multiple;
  }
  if (bits(first, 9, 9) == 0) return bits(first, 4, 4) == 1 ? load : store;
  if (bits(first, 8, 8) == 1) return of_multiplication(first, second);
  return bits(first, 7, 7) == 0 && bits(second, 7, 7) == 1 ? extend : alu;
}

}  // namespace thumb

/// first, second: the half words of the instruction; `second` counts only when is_wide(first).
constexpr InstructionClass class_of(std::uint16_t first, std::uint16_t second) {
  const bool is_wide = first >= 0xe800;
  return is_wide ? thumb::of_wide(first, second) : thumb::of_narrow(first);
}

}  // namespace thimble
