#include <thimble/emulate/elf.hpp>

#include <algorithm>
#include <cstring>

#include <elf.h>

#include <thimble/core/error.hpp>

namespace thimble {
namespace {

[[noreturn]] void refuse() {
  throw Error{"the program is no whole 32-bit ELF file", "build it again"};
}

/// A structure, or several, somewhere in the file.
template <class T>
std::vector<T> read(std::string_view bytes, std::size_t offset, std::size_t count = 1) {
  if (offset > bytes.size() || count > (bytes.size() - offset) / sizeof(T)) refuse();
  std::vector<T> values(count);
  std::memcpy(values.data(), bytes.data() + offset, count * sizeof(T));
  return values;
}

std::string_view content(std::string_view bytes, const Elf32_Shdr& section) {
  if (section.sh_offset > bytes.size() || section.sh_size > bytes.size() - section.sh_offset)
    refuse();
  return bytes.substr(section.sh_offset, section.sh_size);
}

std::string text_at(std::string_view strings, std::size_t offset) {
  if (offset >= strings.size()) refuse();
  const std::string_view rest = strings.substr(offset);
  return std::string{rest.substr(0, rest.find('\0'))};
}

const Elf32_Shdr& at(const std::vector<Elf32_Shdr>& headers, std::size_t index) {
  if (index >= headers.size()) refuse();
  return headers[index];
}

}  // namespace

Elf parse_elf(std::string_view bytes) {
  const auto head = read<Elf32_Ehdr>(bytes, 0).front();
  const bool is_known = std::memcmp(head.e_ident, ELFMAG, SELFMAG) == 0 &&
                        head.e_ident[EI_CLASS] == ELFCLASS32 &&
                        head.e_ident[EI_DATA] == ELFDATA2LSB;
  if (!is_known) refuse();
  const auto headers = read<Elf32_Shdr>(bytes, head.e_shoff, head.e_shnum);
  const auto names = content(bytes, at(headers, head.e_shstrndx));
  const auto name_of = [&](const Elf32_Shdr& header) { return text_at(names, header.sh_name); };
  Elf elf;
  for (const Elf32_Shdr& header : headers) {
    if ((header.sh_flags & SHF_ALLOC) != 0)
      elf.sections.push_back({name_of(header), header.sh_size});
    if (header.sh_type != SHT_SYMTAB) continue;
    const auto strings = content(bytes, at(headers, header.sh_link));
    for (const Elf32_Sym& symbol :
         read<Elf32_Sym>(bytes, header.sh_offset, header.sh_size / sizeof(Elf32_Sym)))
      elf.symbols.push_back(
          {text_at(strings, symbol.st_name),
           symbol.st_shndx < headers.size() ? name_of(headers[symbol.st_shndx]) : "",
           symbol.st_value, symbol.st_size});
  }
  return elf;
}

std::int64_t Elf::section_bytes(std::string_view name) const {
  const auto found = std::ranges::find(sections, name, &ElfSection::name);
  return found == sections.end() ? 0 : found->bytes;
}

const ElfSymbol* Elf::find(std::string_view symbol) const {
  const auto found = std::ranges::find(symbols, symbol, &ElfSymbol::name);
  return found == symbols.end() ? nullptr : &*found;
}

}  // namespace thimble
