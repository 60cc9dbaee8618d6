#!/usr/bin/env bash
# From a fresh clone to an animated clip: makes the environment, then runs the four stages as one visible pipe.
#   bash examples/quickstart.sh [PHOTO DRIVING_VIDEO [OUTPUT_DIR]]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. examples/environment.sh
make_environment constraints.txt
photo="${1:-examples/samples/reference.jpg}"
driving="${2:-examples/samples/driving.mp4}"
out="${3:-out}"
name="$(basename "${driving%.*}")"
mkdir -p "$out"

set -x
dreamactor extract-pose "$driving" -o "$out/$name.zarr" \
    | dreamactor render-spheres - --ref "$photo" \
    | dreamactor encode-face - \
    | dreamactor animate - --ref "$photo" --output-dir "$out" --json >"$out/$name.jsonl"
dreamactor view "$out/$name.zarr" -o "$out/$name-signals.mp4"
dreamactor view "$out/$name.zarr" -o "$out/$name-signals.png"
{ set +x; } 2>/dev/null
cat <<END

The animated clip:    $out/$name.mp4
Its contact sheet:    $out/$name.png     (reference | driver | skeleton + sphere | result)
The three signals:    $out/$name-signals.mp4 and $out/$name-signals.png
Everything between:   $out/$name.zarr    (dreamactor bundle show $out/$name.zarr)
END
