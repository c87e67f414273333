#!/usr/bin/env bash
# bench: the list, the records, a model file, and the protocol that harnesses drive.
. "$(dirname "$0")/lib_cli.sh"

expect 0 bench --list
for name in seed chain_1_fwd chain_10k_fb ew_relu16m ew_gelu4m softmax layernorm logsumexp sum_axis0 matmul_64 linear_8 bmm \
            linear_gelu mlp_train_8 mlp_train_128 minilm gpt2s nanogpt_train gcn_train; do
    has out "^$name\$"
done

expect 0 bench seed chain_1_fb --min-time 0.01 --json b.json
has out '^seed +static '
has out '^chain_1_fb +eager '
for key in workload engine threads numerics min_ms median_ms reps compile_s first_call_s peak_rss_mb fingerprint; do
    has b.json "\"$key\""
done
expect 0 bench "$MODELS/slices.tdm" --engine static --min-time 0.01
has out '^.*slices.tdm +static '

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
