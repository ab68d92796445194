#!/usr/bin/env bash
# Usage: client_test.sh BUILD_FOLDER WORK_FOLDER [SANITIZERS]
set -euo pipefail
build=$1 work=$2 sanitizers=${3:-}
prefix=$work/prefix
rm -rf "$work"
mkdir -p "$work"
cmake --install "$build" --prefix "$prefix" >/dev/null
cd "$work"

# The installed program stands on its own.
# (No pipe: grep -q would close it early, and the program would rightly fail.)
grep -q nasbench201 <<<"$("$prefix/bin/thimble" plugins)"

# So do its docs: every file that one of them links to is there.
docs=$prefix/share/doc/thimble
test -s "$docs/docs/what-to-write-in-a-paper.md"
while IFS=: read -r file link; do
  target=$(dirname "$file")/${link%%#*}
  [[ -e $target ]] || { echo "$file links to $link, which is not installed"; exit 1; }
done < <(grep -roP --include='*.md' '\]\(\K(?!https?:|#)[^)]*\.md[^)]*(?=\))' "$docs/docs")

# One project with a plugin of each kind, as `thimble new` writes them.
printf 'cmake_minimum_required(VERSION 3.25)\nproject(mine LANGUAGES CXX)\ninclude(CTest)\n' >CMakeLists.txt
printf 'find_package(thimble REQUIRED)\n' >>CMakeLists.txt
for kind in proxy searchspace searcher hardware dataset task; do
  "$prefix/bin/thimble" new "$kind" "my_$kind" >/dev/null
  printf 'add_subdirectory(my_%s)\n' "$kind" >>CMakeLists.txt
done
"$prefix/bin/thimble" new searcher my_trainer --trains >/dev/null
printf 'add_subdirectory(my_trainer)\n' >>CMakeLists.txt
# A name that the templates use themselves; and one that is taken.
"$prefix/bin/thimble" new proxy params >/dev/null
printf 'add_subdirectory(params)\n' >>CMakeLists.txt
if "$prefix/bin/thimble" new proxy snip 2>/dev/null; then
  echo "a second plugin 'snip' was made"
  exit 1
fi
cmake -S . -B build -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_CXX_FLAGS="${sanitizers:+-fsanitize=$sanitizers}" >/dev/null
cmake --build build >build.log 2>&1 || { cat build.log; exit 1; }
ctest --test-dir build --output-on-failure

# They are found, and they run together.
export THIMBLE_PLUGIN_PATH=$work/build/plugins
for kind in proxy searchspace searcher hardware dataset task; do
  grep -q "my_$kind" <<<"$("$prefix/bin/thimble" plugins "$kind")"
done
cat >mine.yaml <<'YAML'
name: mine
search_space: { use: my_searchspace }
dataset: { use: my_dataset }
proxies: [{ use: my_proxy }]
hardware: { use: my_hardware }
objectives: [{ maximize: my_proxy }, { minimize: latency_ms }]
searcher: { use: my_searcher, evaluations: 5 }
YAML
"$prefix/bin/thimble" run mine.yaml
"$prefix/bin/thimble" new board my_board --core m4
"$prefix/bin/thimble" check mine.yaml 'hardware={use: table, board: my_board.yaml}'
echo "a project outside of thimble's tree builds, conforms and runs"
