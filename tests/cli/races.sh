#!/usr/bin/env bash
# --check-races: kernels whose chunks overlap are named; such an error leaves every value right, so that nothing else sees
# it. Without the planted error nothing is found in loops, rows, sums, products and indexed kernels.
. "$(dirname "$0")/lib_cli.sh"

need_planted

cat >kinds.tdm <<'TDM'
graph @kinds(%x: f32[48,64], %w: f32[64,40], %at: i64[7]) -> (f32[48,64], f32[48], f32[64], f32[48,40], f32[7,64]) {
  %loop = exp %x : f32[48,64]
  %row = reduce_max %loop {axes=[1]} : f32[48]
  %outer = reduce_sum %loop {axes=[0]} : f32[64]
  %dot = dot_general %x, %w {lhs_k=[1], rhs_k=[0]} : f32[48,40]
  %taken = gather %x, %at : f32[7,64]
  return loop: %loop, row: %row, outer: %outer, dot: %dot, taken: %taken
}
TDM

for threads in 1 2; do
    expect 0 run kinds.tdm --check-races --threads $threads
    TANDEM=$PLANTED
    TANDEM_CODEGEN=$CODEGEN TANDEM_PLANT=races expect 2 run kinds.tdm --check-races --threads $threads
    has err "^tandem: exec_run: race in kernel 'k0_[^']*': of [0-9]+ chunks, 0 writes and 1 writes byte 0 of"
    TANDEM_CODEGEN=$CODEGEN TANDEM_PLANT=races expect 0 compare kinds.tdm --threads $threads
    TANDEM=$GOOD
done
