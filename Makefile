# The front door: every target is a few words over a script or a CMake preset.

ARGS   ?=
PREFIX ?= /usr/local
JOBS   ?= $(shell nproc)

SHELL   := /bin/bash
thimble := build/release/bin/thimble
sources := git ls-files -z --cached --others --exclude-standard '*.cpp' '*.hpp' '*.c' '*.h'
# build PRESET [TARGETS], all of them when none is named
build    = cmake --preset $(1) && cmake --build --preset $(1) --parallel $(JOBS) $(if $(2),--target $(2))
test     = $(call build,$(1)) && ctest --preset $(1) --output-on-failure --parallel $(JOBS)

# Tests can do without the emulator, so it need not be installable.
emulator = scripts/setup emulator || echo "setup: so the tests with programs for microcontrollers will skip" >&2

.DEFAULT_GOAL := help
.PHONY: help run test test-sanitized test-threads fuzz crash-campaign bench format tidy data setup install package test-package clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

run: setup ## search for a network, start to end (more words for thimble: ARGS='seed=3')
	@[[ -e $(thimble) ]] || echo "building thimble, once: about $$((8 / $(JOBS) + 1)) minutes on $(JOBS) cores;" \
	  "then fetching CIFAR-10, and the search: half a minute"
	@$(call build,release,thimble_program)
	@if scripts/fetch-cifar10; then \
	  $(thimble) run experiments/quickstart.yaml --data data $(ARGS); \
	else \
	  echo "CIFAR-10 cannot be had (see above), so this run takes synthetic images: it shows how thimble"; \
	  echo "works, but its scores mean nothing. With a network, 'make data' gets the real ones."; \
	  $(thimble) run experiments/quickstart.yaml --data data 'dataset={use: synthetic}' $(ARGS); \
	fi

test: setup ## build, then run every test
	@$(emulator)
	@scripts/setup slurm || echo "setup: so the tests of engine slurm will skip" >&2
	@THIMBLE_NO_SETUP=1 scripts/fetch-onnxruntime || echo "no ONNX Runtime: the tests that need it skip" >&2
	@scripts/fetch-browser || echo "no browser: the tests of pages skip" >&2
	@$(call test,release)

test-sanitized: setup ## the same under the address and undefined-behaviour sanitizers
	@$(emulator)
	@$(call test,dev)

test-threads: setup ## the unit tests under the thread sanitizer
	@$(call test,tsan)

fuzz: setup ## feed what reads files with damaged ones, some minutes (ARGS='1000000' of each)
	@scripts/setup fuzz
	@$(call build,fuzz)
	@scripts/fuzz $(ARGS)

crash-campaign: setup ## kill commands, fill disks and the like, then compare (ARGS='100' moments)
	@scripts/setup crash
	@$(emulator)
	@$(call build,release,thimble_program)
	@scripts/crash-campaign $(ARGS)

bench: setup ## build, then run every benchmark (ARGS='--benchmark_filter=ntk')
	@$(call build,release,benchmarks)
	@for bench in build/release/bench/bench_*; do \
	  if [[ -f $$bench && -x $$bench ]]; then echo "== $${bench##*/}"; $$bench $(ARGS) || exit; fi; \
	done

format: ## format all C and C++ files in place
	@scripts/setup lint
	@$(sources) | xargs -0 clang-format -i

tidy: setup ## check the framework and the plugins with clang-tidy
	@scripts/setup lint
	@cmake --preset dev  # compiles file by file, as clang-tidy reads
	@run-clang-tidy -quiet -p build/dev '^$(CURDIR)/(framework|plugins)/'

data: ## get CIFAR-10 into data/cifar10 (139 MB, resumable)
	@scripts/fetch-cifar10
	@echo "CIFAR-10 is in data/cifar10"

setup: ## install the Debian packages that are missing
	@scripts/setup build
	@scripts/setup page || echo "setup: so pages of runs will have tables and pictures, but no script" >&2

install: setup ## install into PREFIX (default /usr/local)
	@$(call build,release,thimble_program thimble_conformance)
	@cmake --install build/release --prefix $(PREFIX)

package: setup ## make Debian packages of the program and of what the emulator needs
	@$(call build,release,thimble_program thimble_conformance)
	@cd build/release && cpack --config CPackConfig.cmake -B packages
	@ls build/release/packages/*.deb

test-package: package ## install them on a Debian that has nothing else, in a chroot, and work with them there
	@scripts/package-test

clean: ## remove what was built; data/ and runs/ stay
	rm -rf build
