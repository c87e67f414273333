#!/usr/bin/env bash
# --memory-budget: held by run, compare and dump, or refused by name; what dump and compare report of memory.
. "$(dirname "$0")/lib_cli.sh"

# A stack of eight layers: with gradients, each keeps its sum and its value.
{
    echo 'graph @stack(%x: f32[256,64], %w: f32[64,64] variable) -> (f32[256,64]) {'
    v=x
    for i in 1 2 3 4 5 6 7 8; do
        echo "  %d$i = dot_general %$v, %w {lhs_k=[1], rhs_k=[0]} : f32[256,64]"
        echo "  %t$i = tanh %d$i : f32[256,64]"
        echo "  %v$i = mul %t$i, %d$i : f32[256,64]"
        v=v$i
    done
    echo "  return y: %$v"
    echo '}'
} >stack.tdm

arena() {
    sed -n 's/^arena \([0-9]*\) bytes.*/\1/p' out
}
expect 0 dump stack.tdm --stage arena --gradients
has out '^live at most [0-9]* bytes, at kernel [0-9]* k[0-9]*_.*; 0 operations compute values again'
plain=$(arena)
expect 0 dump stack.tdm --stage arena --gradients --memory-budget $((plain / 2))
half=$(arena)
[ "$half" -le $((plain / 2)) ] || fail "asked for half of $plain, got $half"
has out '; [1-9][0-9]* operations compute values again'
expect 0 compare stack.tdm --gradients --memory-budget 640K --threads 1
has out 'grad_w .*the same bits'
has out '^arena .* MB live; .* Mflop compute values again'
expect 0 run stack.tdm --memory-budget 1.5M
refused "the memory budget is 1024 bytes, but the least that was reached is" \
    compare stack.tdm --gradients --memory-budget 1K
for wrong in 0 -1 64Q M 1KB nan; do
    refused "--memory-budget $wrong: expected a number of bytes" run stack.tdm --memory-budget=$wrong
done
