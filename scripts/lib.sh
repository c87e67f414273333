# Shared by scripts/ and .ci/run: source it. Installs Debian packages that are missing, and builds.
# shellcheck shell=bash
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"
JOBS=$(nproc)

# shellcheck disable=SC2034  # used by the scripts that source this
BUILD_PACKAGES=(cmake ninja-build gcc libc6-dev llvm-19-dev zlib1g-dev libjansson-dev libmd-dev)
# shellcheck disable=SC2034
TEST_PACKAGES=(libcmocka-dev pkg-config)

say() { printf '\n== %s\n' "$*"; }
die() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 2; }

installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

missing() {
    local p
    for p in "$@"; do
        installed "$p" || printf '%s ' "$p"
    done
}

# apt_get ARGS...: as root or through sudo, three tries.
apt_get() {
    local sudo=() try
    [ "$(id -u)" = 0 ] || sudo=(sudo -n)
    for try in 1 2 3; do
        "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@" && return 0
        echo "apt-get $1 failed (try $try of 3)" >&2
        sleep $((try * 5))
    done
    return 1
}

# need PACKAGES...: install those that are missing, or say exactly what to install and stop with status 2.
need() {
    local list
    read -ra list <<<"$(missing "$@")"
    [ ${#list[@]} -gt 0 ] || return 0
    command -v apt-get >/dev/null || die "please install: ${list[*]} (Debian's package names; see CONTRIBUTING.md)"
    if [ "$(id -u)" != 0 ] && ! { command -v sudo >/dev/null && sudo -n true 2>/dev/null; }; then
        printf 'Missing packages. As root, run\n\n    apt-get update && apt-get install -y %s\n\nand start %s again.\n' \
            "${list[*]}" "$0" >&2
        exit 2
    fi
    say "installing: ${list[*]}"
    apt_get update >/dev/null || die "apt-get update failed"
    apt_get install -y --no-install-recommends "${list[@]}" >/dev/null ||
        die "could not install: ${list[*]}"
}

# want PACKAGES...: like need, for what we can do without; false if it is not there in the end.
want() {
    [ -z "$(missing "$@")" ] || (need "$@") || return 1
}

# build DIR [CMAKE OPTIONS...]: configure (with ninja, unless DIR was configured otherwise) and build TARGETS.
TARGETS=(all)
build() {
    local dir=$1 log=$1/configure.log generator=()
    shift
    mkdir -p "$dir"
    [ -f "$dir/CMakeCache.txt" ] || generator=(-G Ninja)
    cmake -B "$dir" "${generator[@]}" "$@" >"$log" 2>&1 || { cat "$log" >&2; die "configuring $dir failed"; }
    cmake --build "$dir" --parallel "$JOBS" --target "${TARGETS[@]}"
}
