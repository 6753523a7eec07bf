#!/usr/bin/env bash
# The official OpenAI SDKs, end to end: starts the fake provider and two gateways (one open, one with a
# key) on free ports and runs the tests of both languages against them.
#
#   tests/sdk/run.sh             against semgate
#   tests/sdk/run.sh --direct    against the fake provider alone, to check the tests themselves
#
# Expects the binaries to be built (scripts/test.sh does) and installs the SDKs below target/.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

PYTHON_SDK=3.54.0
NODE_SDK=6.49.0 # the last that runs on Node 20

direct=0
case "${1:-}" in
"") ;;
--direct) direct=1 ;;
*) die "usage: tests/sdk/run.sh [--direct]" ;;
esac
[ -x "$BIN/fake-provider" ] || die "no $BIN/fake-provider; build with: cargo build --features fake-provider"

install_python() {
    local venv="$TARGET/sdk/python"
    [ -x "$venv/bin/python" ] || python3 -m venv "$venv"
    "$venv/bin/python" -c "import openai, sys; sys.exit(openai.__version__ != '$PYTHON_SDK')" 2>/dev/null ||
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "openai==$PYTHON_SDK"
}

install_node() {
    local folder="$TARGET/sdk/node"
    mkdir -p "$folder"
    [ "$(node -p "require('$folder/node_modules/openai/package.json').version" 2>/dev/null)" = "$NODE_SDK" ] ||
        npm install --prefix "$folder" --no-save --no-package-lock --no-audit --no-fund --loglevel=error \
            "openai@$NODE_SDK"
}

work="$(mktemp -d)"
trap 'stop_started; rm -rf "$work"' EXIT
export XDG_STATE_HOME="$work/state" XDG_CACHE_HOME="$work/cache"

say "Installing the SDKs: openai $PYTHON_SDK (Python), openai $NODE_SDK (Node)"
install_python
install_node

# The key is the provider's: whoever calls the gateway does not need to know it.
export FAKE_PROVIDER_KEY=sk-fake SDK_KEY=sg-sdk-test-key-of-the-end-to-end-tests
provider=("$BIN/fake-provider" --listen 127.0.0.1:0)
if [ "$direct" = 1 ]; then
    start "$work/open" "${provider[@]}"
    SDK_BASE_URL="$(ready "$work/open" "fake-provider ready " | cut -d' ' -f3)"
    start "$work/keyed" "${provider[@]}" --key "$SDK_KEY"
    SDK_KEYED_URL="$(ready "$work/keyed" "fake-provider ready " | cut -d' ' -f3)"
    export SDK_BASE_URL SDK_KEYED_URL SDK_PREFIX="" SDK_GATEWAY=0
else
    start "$work/provider" "${provider[@]}" --key "$FAKE_PROVIDER_KEY"
    FAKE_PROVIDER_URL="$(ready "$work/provider" "fake-provider ready " | cut -d' ' -f3)"
    export FAKE_PROVIDER_URL
    for kind in open keyed; do
        start "$work/$kind" "$BIN/semgate" serve --config "$ROOT/tests/sdk/$kind.yaml"
        url="$(ready "$work/$kind" "semgate ready " | sed 's|.*data=\([^ ]*\).*|\1/v1|')"
        case "$kind" in open) SDK_BASE_URL="$url" ;; keyed) SDK_KEYED_URL="$url" ;; esac
    done
    export SDK_BASE_URL SDK_KEYED_URL SDK_PREFIX="fake/" SDK_GATEWAY=1
fi

say "Python SDK"
"$TARGET/sdk/python/bin/python" -W ignore::ResourceWarning "$ROOT/tests/sdk/sdk_test.py"
say "Node SDK"
SDK_NODE="$TARGET/sdk/node" node --test --test-reporter=spec "$ROOT/tests/sdk/sdk_test.mjs"
say "Both SDKs agree with $SDK_BASE_URL"
