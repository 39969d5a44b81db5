#!/usr/bin/env bash
# Run every check: format, lint, types, tests. Arguments go to pytest instead of its
# defaults, for example: bash tools/test.sh tests/models -x
set -euo pipefail
cd "$(dirname "$0")/.."
source tools/venv.sh tests
source .venv/bin/activate

say 'ruff'
ruff format --check .
ruff check .
say 'mypy'
mypy
say 'imports'
lint-imports
say 'pytest'
# One thread for each worker, so that workers do not compete for cores; one worker for each file,
# so that its fixtures are made once.
export OMP_NUM_THREADS=1
# Threads of the tests that use several do not wait in a loop for others' turn on the same cores.
export OMP_WAIT_POLICY=passive
# Compiled modules are kept; without them each process compiles the package, and each run the tests.
unset PYTHONDONTWRITEBYTECODE
if [ $# -gt 0 ]; then pytest "$@"; else pytest -n logical --dist loadfile --durations=15; fi
