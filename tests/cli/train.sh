#!/usr/bin/env bash
# train: both engines agree to the last bit, and with themselves for any threads, width and instruction set.
# ctest-timeout: 600
. "$(dirname "$0")/lib_cli.sh"

expect 0 train digits --engine both --epochs 2 --json both.json --threads 1
has out 'equal to the last bit'
has out 'the same bits in both engines'
has out '^kernel .*static us'
has out 'compiling '
has both.json '"bit_identical": true'
has both.json '"dataset": "digits"'
for key in epochs engines static eager loss accuracy step_us params_sha256; do
    has both.json "\"$key\""
done
lacks out $'\033'
[ ! -s err ] || fail "train wrote to standard error although it is no terminal"

# Losses and hash of one run, without its times.
essence() { grep -vE 'step_us' "$1" | tr -d ' \n'; }
levels=(x86-64-v3)
! grep -q avx512vl /proc/cpuinfo || levels+=(x86-64-v4)
for engine in static eager; do
    expect 0 train digits --engine $engine --epochs 2 --json one.json --threads 1
    essence one.json >want
    for variant in "--threads 2" "--width 16" "--width 8" "--width 4" "--width 1"; do
        read -ra words <<<"$variant"
        expect 0 train digits --engine $engine --epochs 2 --json other.json "${words[@]}"
        essence other.json | cmp - want || fail "train --engine $engine $variant gives other bits"
    done
    for isa in "${levels[@]}"; do
        expect 0 train digits --engine $engine --epochs 2 --json other.json --isa $isa
        essence other.json | cmp - want || fail "train --engine $engine --isa $isa gives other bits"
    done
done

# Data that is not there, or damaged.
mkdir empty
refused "train-images-idx3-ubyte.gz" train fashion --data empty
printf 'nonsense' >empty/train-images-idx3-ubyte.gz
refused "train-images-idx3-ubyte.gz" train fashion --data empty
