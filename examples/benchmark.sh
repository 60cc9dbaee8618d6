#!/usr/bin/env bash
# Measures the shipped model, or others, and trivial baselines on the fixed suite of synthetic people.
#   bash examples/benchmark.sh [OUT] [--clips N] [--kinds self,cross] [--model FOLDER]... [more: --help]
# Its last lines are the table; OUT/benchmark.json holds the same numbers with intervals, framings and hashes. Running it
# again goes on where it stopped and makes nothing twice.
set -euo pipefail
repository="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
here="$PWD"
cd "$repository"
. examples/environment.sh
make_environment constraints.txt
cd "$here"
exec "$DREAMACTOR_PYTHON" "$repository/examples/benchmark.py" "$@"
