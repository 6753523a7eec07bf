#!/usr/bin/env bash
# Measures the judge on recorded pairs of answers (docs/judge.md). SEMGATE_DATA names the folder with
# the recordings, ../shared/data if unset. --errors prints what was decided wrongly.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec cargo run --locked --quiet --example eval_judge -- --data "${SEMGATE_DATA:-../shared/data}" "$@"
