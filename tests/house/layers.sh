#!/usr/bin/env bash
# The layering check finds an include against an arrow, in every spelling, and passes the tree as it is.
set -euo pipefail
"$TANDEM_SOURCE/scripts/check-layers" >/dev/null

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
mkdir -p "$copy/scripts" "$copy"/{ir,passes,runtime,codegen,frontend,tools,include/tandem}
cp "$TANDEM_SOURCE/scripts/check-layers" "$copy/scripts/"
touch "$copy"/{ir/ir.h,passes/passes.h,runtime/pool.h,codegen/cg.h,codegen/codegen.h,frontend/f.h,include/tandem/tandem.h}

refused() {
    echo "#include $2" >"$copy/$1/x.c"
    if "$copy/scripts/check-layers" >/dev/null; then
        echo "$1 may include $2" >&2
        exit 1
    fi
    rm "$copy/$1/x.c"
}
allowed() {
    echo "#include $2" >"$copy/$1/x.c"
    "$copy/scripts/check-layers"
    rm "$copy/$1/x.c"
}

refused ir '"passes/passes.h"'
refused ir '"../passes/passes.h"'
refused passes '"runtime/pool.h"'
refused passes '<llvm-c/Core.h>'
refused runtime '"frontend/f.h"'
refused codegen '"passes/passes.h"'
refused frontend '"codegen/cg.h"'
refused tools '"ir/ir.h"'
allowed ir '"ir.h"'
allowed passes '"ir/ir.h"'
allowed codegen '<llvm-c/Core.h>'
allowed frontend '"codegen/codegen.h"'
allowed tools '<tandem/tandem.h>'
