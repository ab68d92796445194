#include <thimble/core/kind.hpp>

namespace thimble {

const char* name_of(Kind kind) {
  switch (kind) {
    case Kind::proxy: return "proxy";
    case Kind::searchspace: return "searchspace";
    case Kind::searcher: return "searcher";
    case Kind::hardware: return "hardware";
    case Kind::dataset: return "dataset";
    case Kind::task: return "task";
  }
  return "?";
}

const std::vector<Kind>& all_kinds() {
  static const std::vector<Kind> kKinds{Kind::proxy,    Kind::searchspace, Kind::searcher,
                                        Kind::hardware, Kind::dataset,     Kind::task};
  return kKinds;
}

std::optional<Kind> kind_named(std::string_view name) {
  for (const Kind kind : all_kinds())
    if (name == name_of(kind)) return kind;
  return std::nullopt;
}

}  // namespace thimble
