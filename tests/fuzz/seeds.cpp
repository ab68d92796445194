// What libFuzzer's main() is in the preset fuzz: gives each file of a folder to a target.

#include <cstdio>
#include <filesystem>

#include <thimble/core/files.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int main(int count, char** arguments) {
  if (count != 2) return 2;
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator{arguments[1]}) {
    const std::string text = thimble::read_file(entry.path());
    std::printf("%s\n", entry.path().c_str());
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    ++files;
  }
  return files > 0 ? 0 : 1;
}
