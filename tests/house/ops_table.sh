#!/usr/bin/env bash
# docs/ops.md is what ir/ops.def and docs/ulp.md say now.
set -euo pipefail
"$TANDEM_BUILD/gen-ops" "$TANDEM_SOURCE/docs/ulp.md" | diff -u "$TANDEM_SOURCE/docs/ops.md" - ||
    { echo "docs/ops.md is out of date: cmake --build $TANDEM_BUILD --target ops-table" >&2; exit 1; }
