#!/usr/bin/env bash
# --numerics fast: models run, compare holds them to a tolerance, and --prices lists what each freedom buys and costs.
. "$(dirname "$0")/lib_cli.sh"

for mode in strict fast fast:contract; do
    expect 0 run "$MODELS/mlp.tdm" --dim n=7 --numerics $mode --output p=${mode/:/_}.npy
    expect 0 bench seed --engine static --numerics $mode --min-time 0.01 --json b.json
    has b.json "\"numerics\": \"$mode\""
done
expect 0 compare "$MODELS/step.tdm" --numerics fast
lacks out 'first difference|is to blame'

# A sum whose products are rounded once: other bits than the eager engine's, within the default tolerance.
cat >near.tdm <<'TDM'
graph @near(%x: f32[64,48], %z: f32[64,48]) -> (f32[64,48]) {
  %p = mul %x, %z : f32[64,48]
  %y = sub %x, %p : f32[64,48]
  return y: %y
}
TDM
if grep -qw fma /proc/cpuinfo; then
    expect 0 compare near.tdm --numerics fast
    has out '^output y +DIFFERS: max '
    expect 1 compare near.tdm --numerics fast --rtol 0 --atol 0
    expect 0 compare near.tdm --prices --min-time 0.05
    has out '^contract +[0-9.]+ .* 1 of 1: k0_'
fi

# One line for strict, for every freedom and for all; of a workload nothing else.
expect 0 compare "$MODELS/step.tdm" --prices --min-time 0.05 --json p.json
has out 'the same bits'
has out '^prices of fast, .*step.tdm, [0-9]+ threads?: [0-9]+ interleaved rounds of [0-9]+ calls'
expect 0 compare seed --prices --min-time 0.05 --threads 1 --json w.json
has out '^prices of fast, seed, 1 thread: '
lacks out 'the same bits'
for row in 'strict +[0-9.]+ *' '(contract|reassociate|all) +[0-9.]+ +[0-9.]+x +[0-9.]+ +[0-9.]+ .* [0-9]+ of [0-9]+.*'; do
    has out "^$row\$"
done
for key in freedom ms gain gain_quartiles max_ulp max_abs max_rel kernels; do
    has p.json "\"$key\""
    has w.json "\"$key\""
done
has w.json '"workload": "seed"'
