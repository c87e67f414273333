#!/usr/bin/env bash
# train shakespeare: both engines agree to the last bit, also in what the model writes; files that are missing, short
# or not text are refused.
# ctest-timeout: 600
# ctest-labels: release-only
. "$(dirname "$0")/lib_cli.sh"

refused "expected --data DIR" train shakespeare
mkdir d
refused "d/tinyshakespeare.txt: can't be opened" train shakespeare --data d

# Some text: 40 lines of 72 characters over and over.
for i in $(seq 40); do echo "line $i: the quick brown fox jumps over the lazy dog, $((i * 7919 % 1000)) times"; done >part
cat part part part >d/tinyshakespeare.txt
expect 0 train shakespeare --data d --engine both --steps 3 --epochs 1 --json both.json
has out 'validation loss [0-9.]+  losses equal to the last bit'
has out 'losses and parameters of 3 steps: the same bits in both engines'
has both.json '"bit_identical": true'
for key in dataset epochs engines loss validation_loss step_us params_sha256; do
    has both.json "\"$key\""
done
[ ! -s err ] || fail "train wrote to standard error although it is no terminal"

essence() { grep -vE 'step_us' "$1" | tr -d ' \n'; }
expect 0 train shakespeare --data d --steps 3 --epochs 1 --threads 1 --json one.json
essence one.json >want
for variant in "--threads 2" "--width 4"; do
    read -ra words <<<"$variant"
    expect 0 train shakespeare --data d --steps 3 --epochs 1 --json other.json "${words[@]}"
    essence other.json | cmp - want || fail "train shakespeare $variant gives other bits"
done

printf 'caf\xc3\xa9\n' | cat part - part >d/tinyshakespeare.txt
refused "d/tinyshakespeare.txt:41: expected ASCII text, found byte 0xc3" train shakespeare --data d
head -c 500 part >d/tinyshakespeare.txt
refused "characters, found 500" train shakespeare --data d
: >d/tinyshakespeare.txt
refused "d/tinyshakespeare.txt:1: expected text, found an empty file" train shakespeare --data d
