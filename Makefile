# Each command does all its own set-up, in the user's cache folder, outside this tree:
#
#   make demo    decides where the example city's datasets should live, and proves it
#   make micromobility   does so with a scooter operator's trips, their counts and parking zones
#   make shell   opens a shell in which `placement` is there: `placement serve --dev`
#   make test    runs every check
#
# PYTHON names another Python (3.11 or newer); PLACEMENT_OPA_BIN names an OPA you already have.

.DEFAULT_GOAL := help
.PHONY: help demo micromobility shell test setup lint types policies unit bench bench-gap bench-optimizer lock clean

RUNTIME := ./.ci/env runtime
DEV     := ./.ci/env dev

EXAMPLE := placement/example
# The dataset that the demo explains: the one of the example most worth asking about.
DATASET := civil-registry

# Writes the JSON Schemas of what the policies read, made from the models, into the folder it is given.
export SCHEMAS := python -m placement.eligibility.schemas

help:
	@echo "make demo      decide, verify and explain the placement of an example city's datasets"
	@echo "make micromobility  the same for a scooter operator's trips: import, count, decide, explain"
	@echo "make shell     a shell in which the \`placement\` command, OPA and regal are there"
	@echo "make test      every check: style, types, policies, tests"
	@echo
	@echo "make lint      style, format, which room imports which"
	@echo "make types     mypy --strict"
	@echo "make policies  the Rego: format, types, tests and their coverage, style"
	@echo "make unit      pytest"
	@echo "make bench     how long decisions take, how fast the service answers, and the optimizer against others"
	@echo "make bench-gap DIR=...  generalised assignment instances, held against best known values"
	@echo "make bench-optimizer ARGS='--only warm'   a part of the last of these"
	@echo "make setup     only build the environment that the others use"
	@echo "make lock      choose newer versions of all libraries and pin them"
	@echo "make clean     remove what the above left in the tree, and cached environments"

demo:
	@$(RUNTIME) ./.ci/demo $(EXAMPLE) $(DATASET)

micromobility:
	@$(RUNTIME) ./.ci/micromobility $(EXAMPLE)

shell:
	@$(DEV) bash --norc

test:
	@$(DEV) python .ci/checks.py

lint types policies unit:
	@$(DEV) python .ci/checks.py $@

bench:
	@$(DEV) python -m tests.benchmarks
	@$(DEV) python -m tests.benchmarks.serving
	@$(DEV) python -m tests.benchmarks.optimizer

bench-optimizer:
	@$(DEV) python -m tests.benchmarks.optimizer $(ARGS)

bench-gap:
	@$(DEV) python -m tests.benchmarks.gap $(DIR)

setup:
	@$(DEV) true

lock:
	@./.ci/lock

clean:
	@./.ci/env --clean
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
