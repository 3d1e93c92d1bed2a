# SPDX-License-Identifier: Apache-2.0
# A thin front of Meson. `make help` lists the targets.
BUILD ?= build
PREFIX ?= /usr/local

all: $(BUILD)/build.ninja ## build hoist, libhoist and what belongs to them
	ninja -C $(BUILD)

$(BUILD)/build.ninja:
	@command -v meson >/dev/null || { echo "make: meson is missing: run tools/setup run" >&2; exit 1; }
	meson setup $(BUILD) --prefix=$(PREFIX) -Dtests=$$(pkg-config --exists cmocka && echo true || echo false)

demo: ## install what is missing, build, and load a real model four ways
	tools/setup run
	$(MAKE) all
	tools/demo

check: ## install what is missing and run every test
	tools/setup check
	tools/check

install: all ## install below PREFIX (default /usr/local)
	meson configure $(BUILD) -Dprefix=$(abspath $(PREFIX))
	meson install -C $(BUILD)

bench: all ## measure loads, telemetry and fetches beside their peers; results go to docs/performance.md by hand
	tools/bench

lint: ## formatting, clang-tidy, layering, banned functions, exported names
	tools/lint

format: ## clang-format every source
	find src apps include examples tests \( -name '*.[ch]' -o -name '*.cc' \) -exec clang-format -i {} +

clean: ## remove the build directories; what was installed stays
	rm -rf build build-asan build-tsan build-fuzz

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 18

.PHONY: all demo check install bench lint format clean help
