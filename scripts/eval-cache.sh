#!/usr/bin/env bash
# Replays the labelled streams through the semantic cache's verifier and prints hits and wrong hits
# beside a fixed threshold chosen with hindsight and vCache. Needs the recorded data (SEMGATE_DATA or
# ../shared/data) and the embedding model; vectors are made once and kept under the target folder.
#
#   scripts/eval-cache.sh                  every setting of the table in docs/cache.md
#   scripts/eval-cache.sh --quick          one seed, no baselines
#
#   --judge-noise R    one setting: false same and false different, `0.05` or `0.10/0.01`
#   --seeds N          runs of each stream (5)      --json    one JSON object a setting
#   --profile P        build and run profile P (release)
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

profile=release noise="" pass=()
while [ $# -gt 0 ]; do
    case "$1" in
    --profile) profile="${2:?--profile wants a name}" && shift ;;
    --judge-noise) noise="${2:?--judge-noise wants rates}" && shift ;;
    --seeds) pass+=("$1" "${2:?--seeds wants a number}") && shift ;;
    --json) pass+=("$1") ;;
    --quick) pass+=(--seeds 1 --no-baselines) ;;
    *) die "unknown option $1; the options stand at the top of scripts/eval-cache.sh" ;;
    esac
    shift
done

cd "$ROOT"
data="${SEMGATE_DATA:-../shared/data}"
[ -d "$data/cache/streams" ] || die "no streams in $data; set SEMGATE_DATA"
cargo build --locked --profile "$profile" --example eval_cache >&2
folder="$profile" && [ "$profile" != dev ] || folder=debug

evaluate() {
    say "$1" >&2
    shift
    "$TARGET/$folder/examples/eval_cache" --data "$data" --vectors "$TARGET/eval-cache" \
        "$@" "${pass[@]+"${pass[@]}"}"
}

if [ -n "$noise" ]; then
    evaluate "min_precision off, judge noise $noise" --judge-noise "$noise"
    exit
fi
evaluate "min_precision off, perfect judge; goal: mean hit rate 0.335, each stream at most 1 % wrong"
evaluate "judge noise 5/5; goal 0.30" --judge-noise 0.05 --no-baselines
evaluate "judge noise 10/1; goal 0.30" --judge-noise 0.10/0.01 --no-baselines
evaluate "min_precision 95 %; goal 0.32" --min-precision 0.95 --no-baselines
evaluate "min_precision 95 %, judge noise 5/5; goal 0.28" --min-precision 0.95 --judge-noise 0.05 --no-baselines
evaluate "30 % of answers replaced; goal: at most 0.5 % wrong from 500 lookups after" --replaced 0.3 --no-baselines
evaluate "the same, judge noise 5/5; goal: at most 1 % from 1,000 after" --replaced 0.3 --judge-noise 0.05 --no-baselines
