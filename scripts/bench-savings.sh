#!/usr/bin/env bash
# What cache and router save, and what they cost in wrong answers: replays question streams with labels
# through a configuration, from an empty cache, and prints hit rate, wrong-hit rate, precision, tier mix,
# spend and savings against always asking the frontier model; beside them the same traffic without a cache,
# with literal repeats only, and with caches of a fixed threshold (examples/fixed_threshold.rs); then the
# latency of hits and misses, sent to a running gateway. Contacts no provider but the bundled fake one.
#
#   scripts/bench-savings.sh                      benches/questions.jsonl, 2,450 prompts
#   scripts/bench-savings.sh FILE…                any files in the replay format (docs/replay.md)
#
#   --latency N     requests of each file that are sent live (300); the fake provider takes its time; 0: none
#   --threshold T,… cosines of the fixed thresholds (0.8, LiteLLM's documented default, and 0.95)
#   --config FILE   another configuration than config/examples/demo.yaml
#   --set KEY=VALUE change a setting, may be repeated
#   --wrong         list the wrong hits             --json      one JSON object instead of tables
#   --no-build      use the binary that is there    --profile P build and run profile P (dev)
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

build=1 profile=dev pass=() files=() latency=300
config="$ROOT/config/examples/demo.yaml"
while [ $# -gt 0 ]; do
    case "$1" in
    --no-build) build=0 ;;
    --profile) profile="${2:?--profile wants a name}" && shift ;;
    --config) config="${2:?--config wants a file}" && shift ;;
    --set) pass+=("$1" "${2:?--set wants KEY=VALUE}") && shift ;;
    --threshold) pass+=("$1" "${2:?--threshold wants numbers}") && shift ;;
    --latency) latency="${2:?--latency wants a number}" && shift ;;
    --wrong | --json) pass+=("$1") ;;
    -?*) die "unknown option $1; the options stand at the top of scripts/bench-savings.sh" ;;
    *) files+=("$1") ;;
    esac
    shift
done
[ "${#files[@]}" -gt 0 ] || files=("$ROOT/benches/questions.jsonl")
for file in "${files[@]}" "$config"; do
    [ -f "$file" ] || die "no file $file"
done
command -v python3 >/dev/null || die "python3 is needed to print the tables"

folder="$profile"
[ "$profile" != dev ] || folder=debug
# Progress to stderr: stdout is the report. A subshell, so that FILE stays relative to the caller.
(
    say "Fetching the embedding model (91 MB, once)"
    fetch_model
    if [ "$build" = 1 ]; then
        say "Building (profile $profile)"
        cd "$ROOT"
        cargo build --locked --profile "$profile" --bins --example fixed_threshold --features fake-provider
    fi
    say "Replaying"
) >&2
export SEMGATE_MODELS="${SEMGATE_MODELS:-$ROOT/models}"

work="$(mktemp -d)"
trap 'stop_started; rm -rf "$work"' EXIT
if [ "$latency" -gt 0 ]; then
    # State and cache of the benchmark's own; replay keeps its vectors where the operator's are.
    start "$work/provider" "$TARGET/$folder/fake-provider" --listen 127.0.0.1:0
    FAKE_PROVIDER_URL="$(ready "$work/provider" "fake-provider ready " | cut -d' ' -f3)"
    export FAKE_PROVIDER_URL SEMGATE_DEMO_LISTEN=127.0.0.1:0 SEMGATE_DEMO_ADMIN=127.0.0.1:0
    pass+=(--latency "$latency" --work "$work")
fi
python3 "$ROOT/scripts/bench_savings.py" --semgate "$TARGET/$folder/semgate" \
    --fixed "$TARGET/$folder/examples/fixed_threshold" --config "$config" "${pass[@]}" -- "${files[@]}"
