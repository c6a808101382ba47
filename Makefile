# Everything a checkout needs, with GNU make 3.81 or newer. The first target builds and says what else there is.

CARGO ?= cargo

.PHONY: build demo test bench postgres

build:
	@$(CARGO) build
	@echo
	@echo 'make demo      a guided run in a private PostgreSQL'
	@echo 'make test      format, lints and all tests, as CI runs them'
	@echo 'make bench     the benchmarks'
	@echo 'make postgres  installs a PostgreSQL server if there is none'

demo: postgres
	@$(CARGO) run --quiet -- demo

test: postgres
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- -D warnings
	$(CARGO) test

bench: postgres
	$(CARGO) bench

postgres:
	@.ci/postgres ensure
