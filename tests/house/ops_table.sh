#!/usr/bin/env bash
# docs/ops/ is what ir/ops.def, docs/ops/*.def and docs/ulp.md say now, and has an entry for every public function that
# makes a tensor or an optimiser, and none for others.
set -euo pipefail
cd "$TANDEM_SOURCE"
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT

"$TANDEM_BUILD/gen-ops" docs/ulp.md "$made"
for page in "$made"/*.md docs/ops/*.md; do
    diff -u "docs/ops/$(basename "$page")" "$made/$(basename "$page")" ||
        { echo "docs/ops is out of date: cmake --build $TANDEM_BUILD --target ops-table" >&2; exit 1; }
done

# Ops are called with their place, so each has a macro that adds it; other names of one are macros that call it.
functions() {
    sed -nE 's/^#define tdm_([a-z0-9_]+)\(\.\.\.\) tdm_[a-z0-9_]+\(__VA_ARGS__, TDM_HERE\)$/\1/p
             s/^#define tdm_([a-z0-9_]+)\([a-z, ]+\) tdm_[a-z0-9_]+\(.*/\1/p
             s/^TDM_API tdm_optimizer \*tdm_([a-z0-9_]+)\(.*/\1/p
             s/^TDM_API .*tdm_(parameter|variable|checkpoint_open)\(.*/\1/p' include/tandem/*.h
}
no_op="backward|backward_with|gradients|output"
diff <(functions | grep -vxE "$no_op" | sort -u) <("$TANDEM_BUILD/gen-ops" --functions | sort -u) ||
    { echo "< has no entry in docs/ops/*.def, > is no function of include/tandem" >&2; exit 1; }
