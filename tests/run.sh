#!/usr/bin/env bash
# Runs all default tests in an environment of its own, in two processes that take a file at a time, each with one
# thread. Arguments go to pytest (for example: -m slow, tests/bundle, and -n 0 for one process, as --pdb and -s want).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. examples/environment.sh
make_environment constraints.txt constraints-dev.txt
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" OPENBLAS_NUM_THREADS="${OPENBLAS_NUM_THREADS:-1}"
exec "$DREAMACTOR_PYTHON" -m pytest -n 2 --dist loadfile "$@"
