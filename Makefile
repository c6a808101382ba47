# Everything a checkout needs, with GNU make 3.81 or newer. The first target builds and says what else there is.

CARGO ?= cargo

# How many runs `make chaos` does harm to.
CHAOS_RUNS ?= 2000

.PHONY: build demo test chaos bench postgres

build:
	@$(CARGO) build
	@echo
	@echo 'make demo      a guided run in a private PostgreSQL'
	@echo 'make test      format, lints and all tests, as CI runs them'
	@echo 'make chaos     many runs that are killed, cut off and crashed; CHAOS_RUNS says how many'
	@echo 'make bench     the benchmarks'
	@echo 'make postgres  installs a PostgreSQL server if there is none'

demo: postgres
	@$(CARGO) run --quiet -- demo

test: postgres
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- -D warnings
	$(CARGO) test

chaos: postgres
	CHAOS_RUNS=$(CHAOS_RUNS) $(CARGO) test --test chaos -- storm::

bench: postgres
	$(CARGO) bench

postgres:
	@.ci/postgres ensure
