# Makes or reuses the Python environment of this source tree. Source it from the root of the tree, then call
#   make_environment CONSTRAINTS...
# It leaves the interpreter in $DREAMACTOR_PYTHON. DREAMACTOR_VENV names another folder than .venv, PYTHON another
# interpreter (3.11 or newer). Everything is pinned by version and checksum but torch, whose build depends on the
# machine; a build for the CPU is taken where pip offers one. A second call finds its stamp and installs nothing.

TORCH_VERSION=2.13.0

find_python() {
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3.11 python3.12 python3.13 python3; do
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            command -v "$candidate"
            return 0
        fi
    done
    echo "environment: found no Python 3.11 or newer with venv. Install one, or set PYTHON to it" >&2
    return 3
}

has_torch() {
    "$DREAMACTOR_PYTHON" - <<'END' >/dev/null 2>&1
import torch
assert (2, 11) <= tuple(int(part) for part in torch.__version__.split("+")[0].split(".")[:2]) < (3, 0)
END
}

make_environment() {
    local folder="${DREAMACTOR_VENV:-.venv}" file stamp requirements=()
    for file in "$@"; do requirements+=(-r "$file"); done
    if [ ! -x "$folder/bin/python" ]; then
        echo "environment: making $folder (a few minutes, once)" >&2
        "$(find_python)" -m venv "$folder" || return 3
    fi
    DREAMACTOR_PYTHON="$(cd "$folder" && pwd)/bin/python"
    export DREAMACTOR_PYTHON PATH="$(dirname "$DREAMACTOR_PYTHON"):$PATH"
    stamp="$folder/made-from-$("$DREAMACTOR_PYTHON" - pyproject.toml examples/environment.sh "$@" <<'END'
import hashlib, pathlib, sys
parts = [str(pathlib.Path.cwd()).encode(), sys.version.encode(), *(pathlib.Path(name).read_bytes() for name in sys.argv[1:])]
print(hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()[:16])
END
)"
    [ -e "$stamp" ] && return 0
    local pip=("$DREAMACTOR_PYTHON" -m pip --disable-pip-version-check --no-input -qq install --no-compile)
    "${pip[@]}" --no-deps --require-hashes "${requirements[@]}" || return 6
    if ! has_torch; then
        "${pip[@]}" --no-deps "torch==$TORCH_VERSION" || return 6
        # A build for CUDA needs its libraries beside it; the CPU build is complete.
        has_torch || "${pip[@]}" "torch==$TORCH_VERSION" || return 6
    fi
    "${pip[@]}" --no-deps --no-build-isolation --editable . || return 6
    : >"$stamp"
}
