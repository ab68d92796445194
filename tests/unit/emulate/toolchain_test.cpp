// Programs for microcontrollers as they are built and read back.

#include <cstdlib>
#include <map>
#include <optional>
#include <sstream>
#include <string>

#include <support/firmware.hpp>
#include <thimble/core/process.hpp>

namespace thimble::toolchain_test {
namespace {

using ::testing::AllOf;
using testing::EmulatorTest;
using ::testing::HasSubstr;
using testing::main_of;

TEST_F(EmulatorTest, ReadsTheSizesThatSizeReads) {
  const Firmware firmware =
      build("const int table[100] = {1};\nint start = 5;\nchar arena[1000];\n" +
                main_of("arena[0] = (char)table[start]; arena[start] = 1; return arena[start];"),
            {.core = Core::m7, .optimisation = "-O0"});
  const auto size = find_program("arm-none-eabi-size");
  ASSERT_TRUE(size);
  const auto result = run_process(*size, {"-A", firmware.file.string()}, "/");
  std::istringstream lines{result.output};
  std::map<std::string, std::int64_t> sizes;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words{line};
    std::string name;
    std::int64_t bytes = 0;
    if (words >> name >> bytes) sizes[name] = bytes;
  }
  for (const char* const name : {".text", ".rodata", ".data", ".bss", ".stack"})
    EXPECT_EQ(firmware.elf.section_bytes(name), sizes.at(name)) << name;
  EXPECT_EQ(firmware.ram_bytes(), sizes.at(".data") + sizes.at(".bss"));
  EXPECT_GE(firmware.rom_bytes(), sizes.at(".text") + sizes.at(".rodata") + sizes.at(".data"));
  EXPECT_EQ(firmware.elf.find("table")->bytes, 400);
  EXPECT_EQ(firmware.elf.find("table")->section, ".rodata");
  EXPECT_EQ(firmware.elf.find("arena")->section, ".bss");
  EXPECT_EQ(firmware.elf.find("nothing"), nullptr);
}

TEST_F(EmulatorTest, RefusesBrokenPrograms) {
  const std::string whole = read_file(build(main_of("")).file);
  EXPECT_NO_THROW(parse_elf(whole));
  for (std::size_t size = 0; size < whole.size(); size += 97)
    EXPECT_THROW(parse_elf(std::string_view{whole}.substr(0, size)), Error) << size;
  for (std::size_t place = 0; place < 52; ++place) {  // the header
    std::string broken = whole;
    broken[place] = '\xff';
    try {
      parse_elf(broken);
    } catch (const Error&) {
    }
  }
}

TEST_F(EmulatorTest, GivesTheCompilersFirstError) {
  const auto error = [this](const std::string& code) -> std::string {
    try {
      build(code);
    } catch (const Error& thrown) {
      return thrown.what();
    }
    return "no error";
  };
  EXPECT_THAT(error("int main(void) { return nonsense; }"),
              AllOf(HasSubstr("arm-none-eabi-gcc cannot build 'test1.elf'"),
                    HasSubstr("'nonsense' undeclared")));
  EXPECT_THAT(error("#include <stdlib.h>\nint main(void) { return *(int *)malloc(4); }"),
              HasSubstr("_sbrk"))
      << "there is no heap";
  EXPECT_THAT(error("char big[5 << 20];\nint main(void) { return big[sizeof big - 1]; }"),
              HasSubstr("overflowed"));
}

/// Runs something without any program to be found.
template <class Function>
std::string error_without_programs(Function function) {
  const char* const found = std::getenv("PATH");
  const std::string path = found != nullptr ? found : "";
  setenv("PATH", "/nowhere", 1);
  std::string text = "no error";
  try {
    function();
  } catch (const Error& error) {
    text = error.what();
  }
  setenv("PATH", path.c_str(), 1);
  return text;
}

TEST(MissingPrograms, AreNamedWithTheirPackages) {
  EXPECT_THAT(error_without_programs([] { Toolchain::find(); }),
              AllOf(HasSubstr("there is no arm-none-eabi-gcc here"),
                    HasSubstr("gcc-arm-none-eabi and libnewlib-arm-none-eabi")));
  EXPECT_THAT(error_without_programs([] { Emulator::find(); }),
              AllOf(HasSubstr("there is no qemu-system-arm here"),
                    HasSubstr("install the Debian package qemu-system-arm")));
}

TEST(Cores, HaveNames) {
  for (const Core core : kCores) EXPECT_EQ(core_of(name_of(core)), core);
  EXPECT_EQ(core_of("m99"), std::nullopt);
}

}  // namespace
}  // namespace thimble::toolchain_test
