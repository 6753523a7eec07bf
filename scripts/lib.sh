# shellcheck shell=bash
# Shared by the scripts: headings, the build, and processes that say when they are ready. Sourced, not
# run; expects `set -euo pipefail`.

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
TARGET="${CARGO_TARGET_DIR:-$ROOT/target}"
# Read by whoever sources this.
# shellcheck disable=SC2034
BIN="$TARGET/debug"
STARTED=()

# say TEXT: a heading with the seconds since the script began.
say() {
    if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
        printf '\033[1m==> %s\033[0m (%d s)\n' "$*" "$SECONDS"
    else
        printf '==> %s (%d s)\n' "$*" "$SECONDS"
    fi
}

# die TEXT: ends the script with an error.
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# fetch_model: the embedding model, where semgate will look for it. Needs the build.
fetch_model() {
    SEMGATE_BIN="$BIN/semgate" "$ROOT/scripts/fetch-model.sh"
}

# build: both binaries, in the profile that tests and demo share. Cargo shows its own progress.
build() {
    (cd "$ROOT" && cargo build --locked --bins --features fake-provider)
}

# start LOG COMMAND…: runs a command in the background; sets PID.
start() {
    local log="$1"
    shift
    "$@" >"$log.out" 2>"$log.err" &
    PID=$!
    STARTED+=("$PID")
}

# ready LOG PREFIX: waits up to a minute until the process of the last `start` prints a line with that
# prefix, and prints the line.
ready() {
    local log="$1" prefix="$2" line tries
    for ((tries = 0; tries < 600; tries++)); do
        if line="$(grep -m 1 "^$prefix" "$log.out" 2>/dev/null)"; then
            printf '%s\n' "$line"
            return
        fi
        kill -0 "$PID" 2>/dev/null || break
        sleep 0.1
    done
    printf 'error: no line "%s"; the process said:\n' "$prefix" >&2
    tail -n 20 "$log.err" >&2
    return 1
}

# stop_started: ends what `start` started and waits for it.
stop_started() {
    local pid
    for pid in "${STARTED[@]}"; do
        kill "$pid" 2>/dev/null || true
    done
    for pid in "${STARTED[@]}"; do
        wait "$pid" 2>/dev/null || true
    done
    STARTED=()
}
