#include <fmt/format.h>

#include "cli.hpp"

namespace thimble::cli {
namespace {

constexpr const char* kBash = R"BASH(# source <(thimble completion bash)
_thimble() {
  local word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]}
  local kinds="proxy searchspace searcher hardware dataset task"
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "run report check score train evaluate deploy profile calibrate import plugins show new completion --help --version" -- "$word"))
  elif [[ "$word" == -* ]]; then
    COMPREPLY=($(compgen -W "$(thimble "$command" --help 2>/dev/null | grep -oE -- '--[a-z]+')" -- "$word"))
  else
    case "$command" in
      run|report|check|score|train|evaluate|deploy|profile) COMPREPLY=($(compgen -f -X '!*.y*ml' -- "$word") $(compgen -d -S / -- "$word")) ;;
      plugins|new) COMPREPLY=($(compgen -W "$kinds" -- "$word")) ;;
      show) COMPREPLY=($(compgen -W "$(thimble plugins 2>/dev/null | awk '{print $2}')" -- "$word")) ;;
      completion) COMPREPLY=($(compgen -W "bash zsh" -- "$word")) ;;
    esac
  fi
}
complete -o nospace -F _thimble thimble
)BASH";

}  // namespace

int complete(const std::string& shell) {
  if (shell == "zsh") {
    fmt::print(
        "# source <(thimble completion zsh)\nautoload -U +X bashcompinit && bashcompinit\n{}",
        kBash);
    return 0;
  }
  if (shell != "bash")
    throw InputError{"no completion for the shell '" + shell + "'", "shells are bash, zsh"};
  fmt::print("{}", kBash);
  return 0;
}

}  // namespace thimble::cli
