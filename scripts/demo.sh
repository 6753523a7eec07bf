#!/usr/bin/env bash
# Shows what semgate does: builds it, starts the bundled fake provider and `semgate serve` in front of
# it, sends a scripted conversation and prints what happened to each request. Needs Rust, a C compiler,
# Python 3 and the network for the embedding model; no account anywhere.
#
#   scripts/demo.sh              the demo; fails unless everything it promises was seen
#   scripts/demo.sh --keep       leaves both processes running for your own client
#   scripts/demo.sh --no-build   uses the binaries that are there
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

keep=0 build=1
for argument in "$@"; do
    case "$argument" in
    --keep) keep=1 ;;
    --no-build) build=0 ;;
    *) die "usage: scripts/demo.sh [--keep] [--no-build]" ;;
    esac
done
command -v python3 >/dev/null || die "python3 is needed to send the requests and print the table"

# The port if nothing listens there, else 0: any free one.
port() {
    python3 - "$1" <<'PYTHON'
import socket, sys
with socket.socket() as probe:
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind(("127.0.0.1", int(sys.argv[1])))
        print(sys.argv[1])
    except OSError:
        print(0)
PYTHON
}

if [ "$build" = 1 ]; then
    say "Building (several minutes the first time)"
    build
fi
say "Getting the embedding model, if it is not there yet (91 MB)"
fetch_model

work="$TARGET/demo"
rm -rf "$work"
mkdir -p "$work"
trap stop_started EXIT
# The demo's own state, so that it never touches that of a real installation.
export XDG_STATE_HOME="$work/state" XDG_CACHE_HOME="$work/cache"

say "Starting the fake provider and semgate"
start "$work/provider" nohup "$BIN/fake-provider" --listen "127.0.0.1:$(port 8090)"
provider_pid=$PID
FAKE_PROVIDER_URL="$(ready "$work/provider" "fake-provider ready " | cut -d' ' -f3)"
SEMGATE_DEMO_LISTEN="127.0.0.1:$(port 8080)"
SEMGATE_DEMO_ADMIN="127.0.0.1:$(port 8081)"
export FAKE_PROVIDER_URL SEMGATE_DEMO_LISTEN SEMGATE_DEMO_ADMIN
cd "$ROOT"
start "$work/semgate" nohup "$BIN/semgate" serve --config config/examples/demo.yaml
semgate_pid=$PID
line="$(ready "$work/semgate" "semgate ready ")"
data="${line#*data=}" admin="${line#*admin=}"
data="${data%% *}" admin="${admin%% *}"

say "Asking $data/v1 (model: auto)"
python3 scripts/demo.py "$data"

if [ "$keep" = 1 ]; then
    trap - EXIT
    cat <<TEXT

Both are still running. Point any OpenAI client at them:

  export OPENAI_BASE_URL=$data/v1 OPENAI_API_KEY=anything
  curl -i $data/v1/chat/completions -H 'content-type: application/json' \\
    -d '{"model": "auto", "messages": [{"role": "user", "content": "What is the capital of Australia?"}]}'
  curl $admin/metrics
  curl ${FAKE_PROVIDER_URL%/v1}/journal

Logs: $work/*.err    Stop them: kill $semgate_pid $provider_pid
TEXT
fi
