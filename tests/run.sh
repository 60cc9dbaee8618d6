#!/usr/bin/env bash
# Runs all default tests in an environment of its own; arguments go to pytest (for example: -m slow, tests/bundle).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. examples/environment.sh
make_environment constraints.txt constraints-dev.txt
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-2}" OPENBLAS_NUM_THREADS="${OPENBLAS_NUM_THREADS:-2}"
exec "$DREAMACTOR_PYTHON" -m pytest "$@"
