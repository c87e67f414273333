#!/usr/bin/env bash
# An installed Tandem is complete: a program that knows only pkg-config, and one that uses CMake, build and run on it.
set -euo pipefail
command -v pkg-config >/dev/null || { echo "pkg-config is not installed"; exit 77; }
if grep -q '^TANDEM_SANITIZE:[A-Z]*=.' "$TANDEM_BUILD/CMakeCache.txt"; then
    echo "sanitizer build: not installed"
    exit 77
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$TANDEM_BUILD" --prefix "$work/usr" >"$work/log" || { cat "$work/log"; exit 1; }
libdir=$(dirname "$(find "$work/usr" -name libtandem.so | head -n 1)")
cp "$TANDEM_SOURCE/examples/seed.c" "$work/"

pc=$libdir/pkgconfig/tandem.pc
sed -i "s|^prefix=.*|prefix=$work/usr|; s|^libdir=.*|libdir=$libdir|; s|^includedir=.*|includedir=$work/usr/include|" "$pc"
flags=$(PKG_CONFIG_PATH="$libdir/pkgconfig" pkg-config --cflags --libs tandem)
# shellcheck disable=SC2086
cc -std=gnu17 "$work/seed.c" $flags -lm -o "$work/seed"
env -u TANDEM_CODEGEN LD_LIBRARY_PATH="$libdir" "$work/seed" | head -n 2 >"$work/out"
grep -q '^static  y = 6  dy/dw = 5  dy/dx = 2$' "$work/out" || { cat "$work/out"; exit 1; }

cat >"$work/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.25)
project(client C)
find_package(tandem REQUIRED)
add_executable(client seed.c)
target_link_libraries(client PRIVATE tandem::tandem m)
CMAKE
generator=$(sed -n 's/^CMAKE_GENERATOR:INTERNAL=//p' "$TANDEM_BUILD/CMakeCache.txt")
{ cmake -G "$generator" -S "$work" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/usr";
    cmake --build "$work/build"; } >"$work/log" || { cat "$work/log"; exit 1; }
"$work/build/client" | head -n 2 | cmp - "$work/out"
