#!/bin/sh
# A million random lookups over two tenants and all kinds of routes: none may find an answer of
# another scope. The suite runs a tenth of it.
set -eu
cd "$(dirname "$0")/.."
SEMGATE_LOOKUPS="${1:-1000000}" cargo test --lib -- --nocapture --exact \
    cache::key::tests::isolation::no_lookup_finds_an_entry_of_another_scope
