#!/usr/bin/env bash
# The libraries export what they say: libtandem.so only tdm_*, libtandem-codegen.so one entry; the command and
# libtandem.so do not link LLVM.
set -euo pipefail
cd "$TANDEM_BUILD"

names() { nm -D --defined-only "$1" | awk '{ print $3 }' | grep -vE '^(_init|_fini|__asan|__ubsan|__tsan|__odr_asan)' || true; }
fail() { echo "$*" >&2; exit 1; }

[ -n "$(names libtandem.so)" ] || fail "libtandem.so exports nothing"
others=$(names libtandem.so | grep -v '^tdm_' || true)
[ -z "$others" ] || fail "libtandem.so exports more than tdm_*: $others"
[ "$(names libtandem-codegen.so)" = tdm_codegen_entry ] || fail "libtandem-codegen.so exports: $(names libtandem-codegen.so)"
for file in tandem libtandem.so; do
    if ldd "$file" | grep -q LLVM; then
        fail "$file links LLVM"
    fi
done
