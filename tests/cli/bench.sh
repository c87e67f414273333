#!/usr/bin/env bash
# bench: the list, the records, a model file, and the protocol that harnesses drive.
. "$(dirname "$0")/lib_cli.sh"

expect 0 bench --list
for name in seed chain_1_fwd chain_10k_fb ew_relu16m ew_gelu4m softmax layernorm logsumexp sum_axis0 matmul_64 linear_8 bmm \
            linear_gelu net16_fb net64_fb mlp_train_8 mlp_train_128 minilm gpt2s nanogpt_train gcn_train; do
    has out "^$name "
done
for row in 'seed_fwd +overhead +forward' 'softmax_fb +memory +gradient' 'bmm +matmul +forward' 'gcn_train +networks +train'; do
    has out "^$row\$"
done
[ "$(wc -l <out)" = "$(grep -cE '^[a-z0-9_]+ +(overhead|memory|matmul|networks) +(forward|gradient|train)$' out)" ] ||
    fail "bench --list: expected name, group and kind in every line"

expect 0 bench seed chain_1_fb --min-time 0.01 --json b.json
has out '^seed +static '
has out '^chain_1_fb +eager '
for key in workload engine threads numerics min_ms median_ms reps compile_s first_call_s call_bytes peak_rss_mb fingerprint; do
    has b.json "\"$key\""
done
# A workload is charged with its own peak only; a step's memory is the arena compiled, the tensors of the tape eagerly.
expect 0 bench ew_relu16m seed mlp_train_8 --min-time 0.001 --json b.json
has out '^workload .*call MB  RSS MiB$'
# (Not with sanitizers, which keep what is freed.)
if command -v python3 >/dev/null && [ -w /proc/self/clear_refs ] &&
    ! grep -q "^TANDEM_SANITIZE:[A-Z]*=." "$TANDEM_BUILD/CMakeCache.txt"; then
    python3 - b.json <<'PY'
import json, sys
r = {(x["workload"], x["engine"]): x for x in json.load(open(sys.argv[1]))}
for engine in "static", "eager":
    assert r["ew_relu16m", engine]["peak_rss_mb"] > 120, r["ew_relu16m", engine]["peak_rss_mb"]
    assert r["seed", engine]["peak_rss_mb"] < 100, r["seed", engine]["peak_rss_mb"]
    assert 1 << 14 < r["mlp_train_8", engine]["call_bytes"] < 1 << 24, r["mlp_train_8", engine]["call_bytes"]
assert r["mlp_train_8", "static"]["call_bytes"] < r["mlp_train_8", "eager"]["call_bytes"] / 2
PY
fi
expect 0 bench "$MODELS/slices.tdm" --engine static --min-time 0.01
has out '^.*slices.tdm +static '
for model in "$TANDEM_SOURCE"/bench/models/*.tdm; do # those of docs/performance.md
    expect 0 bench "$model" --engine static --threads 1 --min-time 0.01
done

expect 0 bench mlp_train_8 --engine static --kernels --min-time 0.01
has out '^kernel +kind +times +us each +share +GFLOP/s +GB/s'
has out '^k[0-9]+_linear.* contract +1 '

# ready {json}, then N TOTAL_NS for every N; ends at end of file.
for engine in static eager; do
    printf '1\n20\n' | "$TANDEM" bench seed --serve --engine $engine --threads 1 >served
    [ "$(wc -l <served)" = 3 ] || { cat served >&2; fail "serve: expected three lines"; }
    has served '^ready \{.*"fingerprint":\[\{.*"sum":6\.0'
    has served '^1 [0-9]+$'
    has served '^20 [0-9]+$'
done
refused "one NAME" bench seed softmax --serve
