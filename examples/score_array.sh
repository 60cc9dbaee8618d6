#!/usr/bin/env bash
# Scores many clips as a SLURM job array, one part of the set a task, then makes the table of all.
#   bash examples/score_array.sh PARTS RUN GENERATED --real REAL [more flags of dreamactor score, but -o and --require]
# On a machine without SLURM the same tasks run one after the other. Every task may be killed and run again: what is
# measured is kept. SBATCH_* variables (partition, time, ...) reach sbatch as usual; SCORE_TASK="-c 8 --gres=gpu:1"
# is what a task asks for. The table goes to RUN/scores.json and to the log of the merge.
set -euo pipefail
[ $# -ge 3 ] || { echo "usage: $0 PARTS RUN GENERATED --real REAL [flags]" >&2; exit 2; }
parts="$1" run="$2"
shift 2
mkdir -p "$run/log"

# The merge takes the flags that choose numbers, not those that name films or machines.
merge=()
words=("$@")
for ((i = 0; i < ${#words[@]}; i++)); do
    case "${words[i]}" in
        --protocol | --floors | --name | --seed) merge+=("${words[i]}" "${words[++i]}") ;;
        --protocol=* | --floors=* | --name=* | --seed=*) merge+=("${words[i]}") ;;
    esac
done

if command -v sbatch >/dev/null; then
    task="$(printf '%q ' dreamactor score "$@" -o "$run" --features-only)--shard \$SLURM_ARRAY_TASK_ID/$parts"
    # shellcheck disable=SC2086  # several words on purpose
    job="$(sbatch --parsable --job-name=score --array="1-$parts" ${SCORE_TASK:-} --output="$run/log/%a.log" --wrap="$task")"
    sbatch --job-name=score-merge --dependency="afterok:${job%%;*}" --output="$run/log/merge.log" \
        --wrap="$(printf '%q ' dreamactor score --merge "$run" -o "$run" "${merge[@]}")"
else
    for ((part = 1; part <= parts; part++)); do
        dreamactor score "$@" -o "$run" --features-only --shard "$part/$parts" >"$run/log/$part.log" 2>&1 \
            || { code=$?; cat "$run/log/$part.log" >&2; exit "$code"; }
    done
    dreamactor score --merge "$run" -o "$run" "${merge[@]}" 2>&1 | tee "$run/log/merge.log"
fi
