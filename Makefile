# denoised: `make demo` and `make test` are all a newcomer needs; both set the machine up themselves.
SHELL := /bin/bash
RELEASE := swift build -c release
SWIFT_SOURCES := Package.swift Sources Tests Benchmarks/Package.swift Benchmarks/Micro \
	Fuzz/Package.swift Fuzz/Harness Fuzz/Targets
C_SOURCES = $(shell find Sources Tests packaging Fuzz/Harness Fuzz/Targets examples -name '*.[ch]' -o -name '*.inc' -o -name '*.cpp')
CLANG_FORMAT := clang-format-14
RUFF := .venv-lint/bin/ruff
# How long `make fuzz` spends on each target.
SECONDS ?= 60
PREFIX ?= /usr/local
COMPUTING_TESTS := ^(Compute|Importing|Networks|Policy|PushT|Rendering|Sampling|Tuning)Tests\.

.DEFAULT_GOAL := help
.PHONY: help setup build install deb test-deb sbom demo test arm64 test-arm-kernels bench-arm test-clients wheel test-pages test-cluster test-ros example fuzz tsan asan bench-peers bench-encoders bench-compare bench-micro soak lint format docs clean

help: ## List the targets
	@grep -E '^[a-z0-9-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

setup: ## Install what the build needs (Debian packages) and check for Swift
	@scripts/setup

build: setup ## Build the release binary and print where it is
	@$(RELEASE) --product denoised
	@echo "built $$($(RELEASE) --show-bin-path)/denoised"

install: setup ## Install binary, service and shipped policy (PREFIX=/usr/local, DESTDIR=)
	@DESTDIR="$(DESTDIR)" PREFIX="$(PREFIX)" scripts/install

# ARCH=amd64 VERSION=1.2.3 BINARY=a binary with Swift's runtime in it, unless they are this machine's, the sources' and to be built.
# ARCH=arm64 works on x86-64 too: the binary is that of `make arm64`, and test-deb runs it on an emulated processor.
deb: ## Make a Debian package, dist/denoised_VERSION_ARCH.deb
	@scripts/setup --package
	@ARCH="$(ARCH)" VERSION="$(VERSION)" BINARY="$(BINARY)" scripts/package

test-deb: deb ## Install, run, upgrade, remove and purge the package in a clean Debian 12
	@Tests/Packages/run $(if $(ARCH),--architecture "$(ARCH)")

sbom: ## List what is linked into the binary: dist/denoised.spdx.json
	@scripts/setup --package
	@binary="$$(scripts/portable)" && scripts/sbom --binary "$$binary" --output dist/denoised.spdx.json

demo: build ## Watch a trained policy push the T, through the daemon
	@scripts/demo "$$($(RELEASE) --show-bin-path)/denoised"

# Without the Python package index, the tests that need openpi-client are left out. TEST_FLAGS, options of swift test, replaces the
# four runs: tests that count allocations, that compute, that wait, and that run the program. The threads that the first ones sample
# with spin, and take much longer beside others. Beside tests that compute, the rest would come too late to what it waits for.
test: ## Run every test
	@scripts/setup --examples
	@scripts/setup --openpi || echo "test: the tests with openpi-client are skipped" >&2
	@$(RELEASE) --product denoised
	@openpi="$$PWD/.venv-openpi"; \
	 if [[ -e "$$openpi/installed" ]]; then export DENOISED_OPENPI_PYTHON="$$openpi/bin/python"; fi; \
	 export DENOISED_BINARY="$$($(RELEASE) --show-bin-path)/denoised" DENOISED_TEST_PYTHON=/usr/bin/python3; \
	 if [[ -n "$(TEST_FLAGS)" ]]; then exec swift test $(TEST_FLAGS); fi; \
	 swift build --build-tests || exit 1; \
	 failed=0; swift test --skip-build --filter '^AllocationTests\.' || failed=1; \
	 swift test --skip-build --filter '$(COMPUTING_TESTS)' || failed=1; \
	 swift test --skip-build --skip '$(COMPUTING_TESTS)' --skip '^(Allocation|EndToEnd)Tests\.' || failed=1; \
	 swift test --skip-build --filter '^EndToEndTests\.' || failed=1; exit $$failed
	@scripts/test-clients "$$($(RELEASE) --show-bin-path)/denoised"

# The first time it downloads 1.3 GB of Debian packages into .arm64, where they take 6.3 GB with what is unpacked.
# PROCESSOR=cortex-a76, or MODULES="Sampling Policy" for other tests.
arm64: ## Build for 64-bit ARM; play an episode and run the tests of the network on an emulated processor
	@scripts/arm64 build
	@PROCESSOR="$(PROCESSOR)" scripts/arm64 try
	@PROCESSOR="$(PROCESSOR)" scripts/arm64 test $(MODULES)

test-arm-kernels: ## Test the kernels for 64-bit ARM on three emulated processors
	@scripts/test-arm-kernels

# Tests that need LeRobot are skipped unless it is there; clients/lerobot_policy_denoised/README.md says how to run them.
test-clients: build ## Run the tests of the Python client, the ROS 2 node and the LeRobot policy that need neither ROS nor LeRobot
	@scripts/setup --examples
	@scripts/test-clients "$$($(RELEASE) --show-bin-path)/denoised"

wheel: ## Build wheels of the Python client and of the LeRobot policy, in dist/
	@scripts/wheel

# `test` does it too, if there is a Chromium already. PICTURES=folder keeps what the browser shows of report and explain.
test-pages: build ## Try the live page, report and explain in a headless Chromium (installs it, some 100 MB to download)
	@scripts/setup --browser
	@binary="$$($(RELEASE) --show-bin-path)/denoised"; \
	 /usr/bin/python3 Tests/Browser/live_page.py --binary "$$binary" && \
	 /usr/bin/python3 Tests/Browser/made_pages.py --binary "$$binary" $(if $(PICTURES),--pictures "$(PICTURES)")

# Apart from `test`: it needs Slurm and Ray.
test-cluster: ## Try examples/cluster: Slurm and Ray, with workers that are killed (ONLY=slurm or ONLY=ray)
	@scripts/setup --cluster
	@$(RELEASE) --product denoised
	@/usr/bin/python3 Tests/Cluster/cluster.py --binary "$$($(RELEASE) --show-bin-path)/denoised" \
	 --python .venv-cluster/bin/python $(ONLY)

test-ros: build ## Play PushT through the ROS 2 node; the first time downloads ROS (75 MB) into .venv-ros
	@scripts/test-ros "$$($(RELEASE) --show-bin-path)/denoised"

fuzz: setup ## Fuzz the readers, SECONDS=60 for each (TARGET=name: only that one)
	@scripts/fuzz "$(SECONDS)" $(TARGET)

tsan: setup ## Run the tests under ThreadSanitizer (FILTER=regex: only some)
	@scripts/sanitize thread $(if $(FILTER),'$(FILTER)')

asan: setup ## Run the tests under AddressSanitizer (FILTER=regex: only some)
	@scripts/sanitize address $(if $(FILTER),'$(FILTER)')

example: setup ## Build the C++ robot, examples/robot
	@$(MAKE) -C examples

# TORCH_WHEEL=path installs that PyTorch wheel; the package index's own Linux build is gigabytes of CUDA.
# Likewise ROUNDS=7, RUNS=20 of a turn, THREADS=2 and MACHINE="what the page calls this machine".
bench-peers: build ## Compare with PyTorch, ONNX Runtime and OpenVINO; TORCH_WHEEL=path for a CPU-only PyTorch
	@TORCH_WHEEL="$(TORCH_WHEEL)" ROUNDS="$(ROUNDS)" RUNS="$(RUNS)" THREADS="$(THREADS)" MACHINE="$(MACHINE)" \
	 Benchmarks/peers/run "$$($(RELEASE) --show-bin-path)/denoised"

bench-arm: ## Count what the loops of the kernels for ARM take on models of processors, and OpenBLAS's
	@Benchmarks/arm/count --check

bench-encoders: build ## Compare encoding a frame with PyTorch and OpenVINO; TORCH_WHEEL=path for a CPU-only PyTorch
	@TORCH_WHEEL="$(TORCH_WHEEL)" Benchmarks/peers/setup
	@.venv-peers/bin/python Benchmarks/peers/encoders.py "$$($(RELEASE) --show-bin-path)/denoised"

bench-compare: ## Compare two results of a benchmark: OLD=a.json NEW=b.json (TOLERANCE=1.1)
	@if [[ -z "$(OLD)" || -z "$(NEW)" ]]; then echo "usage: make bench-compare OLD=a.json NEW=b.json" >&2; exit 2; fi
	@scripts/compare-benchmarks "$(OLD)" "$(NEW)" $(if $(TOLERANCE),--tolerance $(TOLERANCE))

bench-micro: setup ## Time the kernels and layers one by one (FILTER=regex: only some)
	@swift package --package-path Benchmarks benchmark --grouping metric --no-progress $(if $(FILTER),--filter '.*($(FILTER)).*')

# MINUTES=15 MESSAGES=4000000 KILLS=200 and, for each flood, FLOOD_SECONDS=60 unless set.
soak: build ## Run robots for long, floods, uneven rates, cameras, watchers, broken messages and kills against the daemon (37 minutes)
	@scripts/setup --examples
	@/usr/bin/python3 Tests/Soak/mutate.py --binary "$$($(RELEASE) --show-bin-path)/denoised" $(if $(MESSAGES),--messages $(MESSAGES))
	@/usr/bin/python3 Tests/Soak/limits.py --binary "$$($(RELEASE) --show-bin-path)/denoised"
	@/usr/bin/python3 Tests/Soak/flood.py --binary "$$($(RELEASE) --show-bin-path)/denoised" $(if $(FLOOD_SECONDS),--seconds $(FLOOD_SECONDS))
	@/usr/bin/python3 Tests/Soak/kill.py --binary "$$($(RELEASE) --show-bin-path)/denoised" $(if $(KILLS),--kills $(KILLS))
	@/usr/bin/python3 Tests/Soak/cameras.py --binary "$$($(RELEASE) --show-bin-path)/denoised" --compare
	@/usr/bin/python3 Tests/Soak/watchers.py --binary "$$($(RELEASE) --show-bin-path)/denoised"
	@/usr/bin/python3 Tests/Soak/robots.py --binary "$$($(RELEASE) --show-bin-path)/denoised" $(if $(MINUTES),--minutes $(MINUTES))

# Every check runs, so that one run shows all findings.
lint: ## Check formatting (Swift, C, C++, Python), sentences of the documentation, and the list of modules
	@scripts/setup --lint
	@failed=""; note() { failed+="$${failed:+, }$$1"; }; \
	 swift format lint --strict --recursive $(SWIFT_SOURCES) || note "swift format"; \
	 $(CLANG_FORMAT) --dry-run --Werror $(C_SOURCES) || note "clang-format"; \
	 $(RUFF) check --quiet . || note "ruff check"; \
	 $(RUFF) format --check --quiet . || note "ruff format"; \
	 scripts/sentences --self-test || note "scripts/sentences --self-test"; \
	 scripts/sentences --longest 0 || note "scripts/sentences"; \
	 scripts/modules --check || note "scripts/modules"; \
	 if [[ -n "$$failed" ]]; then echo "lint: failed: $$failed" >&2; exit 1; fi

format: ## Format Swift, C, C++ and Python in place
	@scripts/setup --lint
	@swift format --in-place --recursive $(SWIFT_SOURCES)
	@$(CLANG_FORMAT) -i $(C_SOURCES)
	@$(RUFF) check --quiet --fix . || echo "format: what ruff cannot mend is left to you" >&2
	@$(RUFF) format --quiet .

docs: setup ## Make the documentation of the modules with DocC (MODULE=name: only that one)
	@scripts/docs $(MODULE)

clean: ## Remove everything that was built
	rm -rf .build .build-* .arm64 .venv-peers .venv-ros .venv-lint .venv-openpi .venv-package .venv-clients .venv-cluster .ruff_cache Benchmarks/.build Fuzz/.build dist \
		clients/*/build clients/*/src/*.egg-info clients/python/.mypy_cache clients/*/.pytest_cache
