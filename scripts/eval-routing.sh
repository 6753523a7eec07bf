#!/usr/bin/env bash
# Measures the router on recorded outcomes, and on LiteLLM's routing cases, which come with its Python
# package and are run from there. Prints a table in markdown for benches/README.md. Needs the recorded
# data (SEMGATE_DATA or ../shared/data) and the embedding model; vectors are made once (half an hour) and
# kept in the cache folder.
#
#   scripts/eval-routing.sh              every figure
#   scripts/eval-routing.sh --quick      fewer repeats: enough to see that nothing broke
#
#   --profile P    build and run profile P (release)
#   --json         the object of `semgate router eval --json` instead of the table
#   --no-litellm   without LiteLLM's cases, and so without a network
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

LITELLM=1.106.2
command="scripts/eval-routing.sh${*:+ $*}"
profile=release json="" litellm=yes pass=()
while [ $# -gt 0 ]; do
    case "$1" in
    --profile) profile="${2:?--profile wants a name}" && shift ;;
    --json) json=yes ;;
    --no-litellm) litellm="" ;;
    --quick) pass+=("$1") ;;
    *) die "unknown option $1; the options stand at the top of scripts/eval-routing.sh" ;;
    esac
    shift
done

cd "$ROOT"
data="${SEMGATE_DATA:-../shared/data}"
[ -d "$data" ] || die "no recorded outcomes in $data; set SEMGATE_DATA"
cargo build --locked --profile "$profile" --bin semgate >&2
folder="$profile" && [ "$profile" != dev ] || folder=debug

if [ -n "$litellm" ]; then
    venv="$TARGET/tools/litellm-$LITELLM"
    cases="$TARGET/tools/litellm-cases-$LITELLM.jsonl"
    if [ ! -s "$cases" ]; then
        say "installing LiteLLM $LITELLM for its cases" >&2
        python3 -m venv "$venv"
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "litellm==$LITELLM" >&2
        LITELLM_LOCAL_MODEL_COST_MAP=True "$venv/bin/python" scripts/litellm_cases.py >"$cases.part"
        mv "$cases.part" "$cases"
    fi
    pass+=(--cases "$cases")
fi

report="$(mktemp)"
trap 'rm -f "$report"' EXIT
say "measuring" >&2
began="$SECONDS"
"$TARGET/$folder/semgate" router eval --data "$data" --json "${pass[@]+"${pass[@]}"}" >"$report"
if [ -n "$json" ]; then
    cat "$report"
else
    python3 scripts/routing_table.py "$report" "$profile" "$((SECONDS - began))" "$command"
fi
