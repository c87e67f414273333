#!/usr/bin/env bash
# bench: what the workloads compute is what PyTorch in float64 does (reference.json of the peers' harness), in both
# engines. Instrumented builds leave out the two that take nearly all of the time.
# ctest-labels: slow
# ctest-timeout: 900
. "$(dirname "$0")/lib_cli.sh"

REFERENCE=$TANDEM_SHARED/bench/peers/reference.json
[ -r "$REFERENCE" ] && command -v python3 >/dev/null || { echo "no $REFERENCE or no python3: skipped"; exit 77; }

workloads=(seed chain_100_fb linear_8 mlp_train_8 minilm gcn_train)
[ -n "${TANDEM_SANITIZE:-}" ] || workloads+=(gpt2s nanogpt_train)
expect 0 bench "${workloads[@]}" --min-time 0.001 --json b.json
python3 - b.json "$REFERENCE" ${#workloads[@]} <<'PY'
import json, sys
got, reference = json.load(open(sys.argv[1])), json.load(open(sys.argv[2]))
assert len(got) == 2 * int(sys.argv[3])

def mismatch(g, r):
    n = 1
    for d in r["shape"]:
        n *= d
    rms = r["l2"] / n ** 0.5
    errors = [abs(g["sum"] - r["sum"]) / r["sum_abs"], abs(g["dot"] - r["dot"]) / r["l2"]]
    errors += [abs(a - b) / max(rms, abs(b)) for a, b in zip(g["samples"], r["samples"], strict=True)]
    return max(errors) if all(e == e for e in errors) else float("inf")

bad = False
for record in got:
    want = reference[record["workload"]]["prints"]
    error = max(mismatch(g, r) for g, r in zip(record["fingerprint"], want, strict=True))
    print(f'{record["workload"]:16} {record["engine"]:7} {error:.1e}')
    bad |= error > 1e-5
sys.exit(bad)
PY
