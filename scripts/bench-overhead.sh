#!/usr/bin/env bash
# What semgate adds to a request: CPU milliseconds (user + system), latency percentiles and memory for
# the provider alone, pass-through, exact hit, semantic hit, miss and stream; with --peers, also LiteLLM,
# TensorZero and NVIDIA Switchyard from their Python packages, interleaved in the same run. Method and
# goals: benches/README.md.
#
#   scripts/bench-overhead.sh                     semgate alone: figures, no ratios
#   scripts/bench-overhead.sh --peers[=LIST]      ratios to the cheapest peer, goals judged
#   scripts/bench-overhead.sh --quick             a smoke test in a minute or two
#
#   --rounds N    rounds (5)            --json      one JSON object instead of tables
#   --once        no second measurement of rows that miss their goal
#   --strict      exit 1 on a missed goal           --no-model  leave out what needs the embedding model
#   --no-build    use the binaries that are there   --profile P build and run profile P (release)
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

build=1 model=1 profile=release pass=()
while [ $# -gt 0 ]; do
    case "$1" in
    --no-build) build=0 ;;
    --profile) profile="${2:?--profile wants a name}" && shift ;;
    --rounds) pass+=("$1" "${2:?--rounds wants a number}") && shift ;;
    --no-model) model=0 && pass+=("$1") ;;
    --peers | --peers=* | --quick | --once | --strict | --json) pass+=("$1") ;;
    *) die "unknown option $1; the options stand at the top of scripts/bench-overhead.sh" ;;
    esac
    shift
done
command -v python3 >/dev/null || die "python3 is needed to run the benchmark"

# Progress to stderr: stdout is the report.
{
    cd "$ROOT"
    if [ "$model" = 1 ]; then
        say "Fetching the embedding model (91 MB, once)"
        fetch_model
    fi
    folder="$profile"
    [ "$profile" != dev ] || folder=debug
    if [ "$build" = 1 ]; then
        say "Building (profile $profile)"
        cargo build --locked --profile "$profile" --bins --features fake-provider
        cargo build --locked --profile "$profile" --bench load --features fake-provider
    fi
    # The newest build of the load generator; cargo names it by a hash.
    load=""
    for file in "$TARGET/$folder"/deps/load-*; do
        if [ -x "$file" ] && [ -f "$file" ] && { [ -z "$load" ] || [ "$file" -nt "$load" ]; }; then
            load="$file"
        fi
    done
    [ -n "$load" ] || die "no load generator below $TARGET/$folder/deps; run without --no-build"
    say "Measuring"
} >&2
exec python3 "$ROOT/scripts/bench_overhead.py" --bin "$TARGET/$folder" --load "$load" "${pass[@]}"
