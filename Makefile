# denoised: `make demo` and `make test` are all a newcomer needs; both set the machine up themselves.
SHELL := /bin/bash
RELEASE := swift build -c release
SWIFT_SOURCES := Package.swift Sources Tests Benchmarks/Package.swift Benchmarks/Micro \
	Fuzz/Package.swift Fuzz/Harness Fuzz/Targets
# How long `make fuzz` spends on each target.
SECONDS ?= 60
PREFIX ?= /usr/local

.DEFAULT_GOAL := help
.PHONY: help setup build install demo test example fuzz tsan asan bench-peers bench-micro soak lint format clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

setup: ## Install what the build needs (Debian packages) and check for Swift
	@scripts/setup

build: setup ## Build the release binary and print where it is
	@$(RELEASE) --product denoised
	@echo "built $$($(RELEASE) --show-bin-path)/denoised"

install: setup ## Install binary, service and shipped policy (PREFIX=/usr/local, DESTDIR=)
	@DESTDIR="$(DESTDIR)" PREFIX="$(PREFIX)" scripts/install

demo: build ## Watch a trained policy push the T, through the daemon
	@scripts/demo "$$($(RELEASE) --show-bin-path)/denoised"

test: ## Run every test
	@scripts/setup --examples
	@$(RELEASE) --product denoised
	@DENOISED_BINARY="$$($(RELEASE) --show-bin-path)/denoised" \
	 DENOISED_TEST_PYTHON=/usr/bin/python3 \
	 swift test

fuzz: setup ## Fuzz the readers, SECONDS=60 for each (TARGET=name: only that one)
	@scripts/fuzz "$(SECONDS)" $(TARGET)

tsan: setup ## Run the tests under ThreadSanitizer (FILTER=regex: only some)
	@scripts/sanitize thread $(if $(FILTER),'$(FILTER)')

asan: setup ## Run the tests under AddressSanitizer (FILTER=regex: only some)
	@scripts/sanitize address $(if $(FILTER),'$(FILTER)')

example: setup ## Build the C++ robot, examples/robot
	@$(MAKE) -C examples

# TORCH_WHEEL=path installs that PyTorch wheel; the package index's own Linux build is gigabytes of CUDA.
# Likewise ROUNDS=7, THREADS=2 and MACHINE="what the page calls this machine".
bench-peers: build ## Compare with PyTorch, ONNX Runtime and OpenVINO; TORCH_WHEEL=path for a CPU-only PyTorch
	@TORCH_WHEEL="$(TORCH_WHEEL)" ROUNDS="$(ROUNDS)" THREADS="$(THREADS)" MACHINE="$(MACHINE)" \
	 Benchmarks/peers/run "$$($(RELEASE) --show-bin-path)/denoised"

bench-micro: setup ## Time the kernels and layers one by one (FILTER=regex: only some)
	@swift package --package-path Benchmarks benchmark --grouping metric --no-progress $(if $(FILTER),--filter '.*($(FILTER)).*')

# MINUTES=15 MESSAGES=4000000 KILLS=200 and, for each flood, FLOOD_SECONDS=60 unless set.
soak: build ## Run robots for long, floods, uneven rates, broken messages and kills against the daemon (27 minutes)
	@scripts/setup --examples
	@/usr/bin/python3 Tests/Soak/mutate.py --binary "$$($(RELEASE) --show-bin-path)/denoised" $(if $(MESSAGES),--messages $(MESSAGES))
	@/usr/bin/python3 Tests/Soak/limits.py --binary "$$($(RELEASE) --show-bin-path)/denoised"
	@/usr/bin/python3 Tests/Soak/flood.py --binary "$$($(RELEASE) --show-bin-path)/denoised" $(if $(FLOOD_SECONDS),--seconds $(FLOOD_SECONDS))
	@/usr/bin/python3 Tests/Soak/kill.py --binary "$$($(RELEASE) --show-bin-path)/denoised" $(if $(KILLS),--kills $(KILLS))
	@/usr/bin/python3 Tests/Soak/robots.py --binary "$$($(RELEASE) --show-bin-path)/denoised" $(if $(MINUTES),--minutes $(MINUTES))

lint: ## Check the formatting
	@swift format lint --strict --recursive $(SWIFT_SOURCES)

format: ## Format the sources in place
	@swift format --in-place --recursive $(SWIFT_SOURCES)

clean: ## Remove everything that was built
	rm -rf .build .build-* .venv-peers Benchmarks/.build Fuzz/.build
