#!/usr/bin/env bash
# Kills a process that writes answers to disk, again and again, at random moments, and checks after
# each kill that nothing wrong comes back, nothing purged, and nothing that a caller complained of.
# The suite does it ten times.
#
#   scripts/kill-cache.sh [KILLS]      default 500
set -euo pipefail
cd "$(dirname "$0")/.."

kills=${1:-500}
export SEMGATE_TEST_KILLS=$kills
cargo test --all-features --test it -- \
    --exact persistence::killed_at_any_moment_nothing_wrong_comes_back --nocapture
echo "$kills kills: no wrong answer, no purged answer"
