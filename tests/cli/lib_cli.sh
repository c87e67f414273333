# Shared by tests/cli/*.sh: source it with the command's path as $1.
# shellcheck shell=bash
set -euo pipefail
TANDEM=$1
MODELS=$TANDEM_SOURCE/tests/models
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
cd "$WORK"

fail() { echo "FAILED: $*" >&2; exit 1; }

# expect STATUS ARGUMENTS...: runs the command; its output is in out and err.
expect() {
    local want=$1 got=0
    shift
    "$TANDEM" "$@" >out 2>err </dev/null || got=$?
    [ "$got" = "$want" ] || { cat out err >&2; fail "tandem $*: exit status $got, expected $want"; }
}

# refused TEXT ARGUMENTS...: status 2 and exactly one line on standard error that holds TEXT.
refused() {
    local text=$1
    shift
    expect 2 "$@"
    [ "$(wc -l <err)" = 1 ] || { cat err >&2; fail "tandem $*: expected one line on standard error"; }
    grep -qF -- "$text" err || { cat err >&2; fail "tandem $*: expected '$text'"; }
}

has() { grep -qE -- "$2" "$1" || { cat "$1" >&2; fail "expected '$2' in $1"; }; }
lacks() { ! grep -qE -- "$2" "$1" || { cat "$1" >&2; fail "did not expect '$2' in $1"; }; }

# PLANTED, the command with deliberate errors, and CODEGEN, its half that needs LLVM; GOOD, the command without them.
need_planted() {
    PLANTED=$(dirname "$TANDEM")/tests/tandem-planted
    CODEGEN=$(dirname "$TANDEM")/tests/libtandem-codegen-planted.so
    # shellcheck disable=SC2034
    GOOD=$TANDEM
    [ -x "$PLANTED" ] && [ -e "$CODEGEN" ] || fail "there is no $PLANTED or no $CODEGEN"
}
