#!/usr/bin/env bash
# bench/compare.py with Tandem alone and Python's standard library: figures of a recorded run, refusal of outputs that
# disagree, errors. (With the libraries installed it is run by hand: docs/performance.md.)
. "$(dirname "$0")/lib_cli.sh"
command -v python3 >/dev/null || { echo "no python3: skipped"; exit 77; }
export PYTHONDONTWRITEBYTECODE=1
PEERS=$TANDEM_SOURCE/bench/peers

# compare STATUS ARGUMENTS...
compare() {
    local want=$1 got=0
    shift
    python3 "$TANDEM_SOURCE/bench/compare.py" --tandem "$TANDEM" --venv none --out o "$@" >out 2>err || got=$?
    [ "$got" = "$want" ] || { cat out err >&2; fail "compare.py $*: exit status $got, expected $want"; }
}
one_line() {
    [ "$(wc -l <err)" = 1 ] || { cat err >&2; fail "expected one line on standard error"; }
    has err "$1"
}

# Figures: 4 / 2 and 40 / 4 capped at 3 give sqrt 6; 0.9 is short, at 96 % of the ceiling it is not.
cat >recorded.json <<'JSON'
{"machine": {"cpu": "a CPU", "cpus": 2}, "finished": "2026-11-28T12:00:00+00:00", "versions": {"jax": "1.2"},
 "absent": {"openvino": "not installed: openvino"},
 "options": {"rounds": 3, "seconds": 0.4, "calls": 4, "foreign": 0.15},
 "workloads": {
  "seed": {"group": "overhead", "kind": "gradient", "ceiling": null, "bytes": null, "flops": 0},
  "chain_1_fb": {"group": "overhead", "kind": "gradient", "ceiling": null, "bytes": null, "flops": 0},
  "softmax": {"group": "memory", "kind": "forward", "ceiling": "copy_nt_64M", "bytes": 40000000, "flops": 0},
  "sum_axis0": {"group": "memory", "kind": "forward", "ceiling": "read_64M", "bytes": 96000000, "flops": 0},
  "bmm": {"group": "matmul", "kind": "forward", "ceiling": "fma_gflops", "bytes": null, "flops": 200000000},
  "gcn_train": {"group": "networks", "kind": "train", "ceiling": "fma_gflops", "bytes": null, "flops": 1}},
 "ceilings": {"1": {"fma_gflops": 100.0, "copy_nt_64M": 40.0, "read_64M": 10.0}},
 "runs": {"1": {
  "seed": {"tandem": {"median_ms": 2}, "torch": {"median_ms": 4}, "jax": {"median_ms": 5}},
  "chain_1_fb": {"tandem": {"median_ms": 4}, "tandem_eager": {"median_ms": 1}, "jax": {"median_ms": 40}},
  "softmax": {"tandem": {"median_ms": 2, "foreign": 0.3}, "jax": {"median_ms": 1.8}, "ort": {"fail": "disagrees: error 2e-03"}},
  "sum_axis0": {"tandem": {"median_ms": 10}, "jax": {"median_ms": 9}},
  "bmm": {"tandem": {"median_ms": 4}, "jax": {"median_ms": 6}},
  "gcn_train": {"tandem": {"median_ms": 4, "rss_mb": 30.4}, "jax": {"median_ms": 8, "rss_mb": 300}, "ort": {"na": "no gradients"}}}}}
JSON
compare 1 --draw recorded.json
has o/compare.md '^\| overhead \| 2 \| 2\.45 \|$'
has o/compare.md '^\| memory \| 2 \| 0\.90 \|$'
has o/compare.md '^\| matmul \| 1 \| 1\.50 \|$'
has o/compare.md '^Short, 1 thread: softmax, 0\.90 of the fastest peer.s speed, 50 % of its ceiling$'
lacks o/compare.md 'Short.*(sum_axis0|seed|bmm)'
has o/compare.md '^\| ms \| Tandem static \| Tandem eager \| PyTorch \| JAX \| ONNX Runtime \| peer / Tandem \| of ceiling \|$'
has o/compare.md '^\| chain_1_fb \| 4\.000 \| \*\*1\.000\*\* \| - \| 40\.0 \| - \| 10\.00 \|  \|$'
has o/compare.md '^\| softmax \| 2\.000 \| - \| - \| \*\*1\.800\*\* \| failed \| 0\.90 \| 50 % \|$'
has o/compare.md '^\| sum_axis0 .* 96 % \|$'
has o/compare.md '^\| bmm .* 1\.50 \| 50 % \|$'
has o/compare.md '^\| gcn_train \| 30 \| - \| - \| 300 \| - \|$'
has o/compare.md '^- OpenVINO was left out: not installed: openvino$'
has o/compare.md '^- softmax, 1 thread, ONNX Runtime: disagrees: error 2e-03$'
has o/compare.md '^- softmax, 1 thread, Tandem static: disturbed, others used 0\.30 of a CPU$'

# Every workload of the command has inputs for the peers and a reference.
"$TANDEM" bench --list >list
PYTHONPATH=$TANDEM_SOURCE/bench python3 - list <<'PY' || fail "bench/peers and tandem bench --list differ"
import sys
from peers import reference, specs
expected = reference.load()
for line in open(sys.argv[1]):
    name, _group, kind = line.split()
    assert name in specs.SPECS and name in expected, f"{name}: no inputs or no reference"
    assert specs.SPECS[name].kind == kind, f"{name}: {specs.SPECS[name].kind} beside {kind}"
PY

# A run: both engines agree with the reference and are timed.
run() { compare "$1" --peers tandem,tandem_eager --workloads seed,mlp_train_8 --threads 1 --quick "${@:2}"; }
run 0
has o/compare.md '^\| mlp_train_8 \| \*\*[0-9.]+\*\* \| [0-9.]+ \|'
python3 - <<'PY' || fail "compare.json"
import json
doc = json.load(open("o/compare.json"))
for name in "seed", "mlp_train_8":
    for peer in "tandem", "tandem_eager":
        x = doc["runs"]["1"][name][peer]
        assert x["agrees"] and x["error"] < 1e-5 and 0 < x["min_ms"] <= x["median_ms"] and x["rss_mb"] > 1, x
assert doc["ceilings"]["1"]["fma_gflops"] > 0, doc["ceilings"]
PY

# Another result is said and not timed.
sed '/^"seed":/s/"sum": [0-9.]*/"sum": 6.5/' "$PEERS/reference.json" >wrong.json
run 1 --reference wrong.json
has out 'Tandem static +disagrees: error '
has o/compare.md '^\| seed \| failed \| failed \|'
has o/compare.md '^- seed, 1 thread, Tandem eager: disagrees: error '

# An end in the middle leaves no worker behind, not even a stopped one.
if command -v pgrep >/dev/null; then
    cp "$PEERS/reference.json" mine.json
    PYTHONUNBUFFERED=1 python3 "$TANDEM_SOURCE/bench/compare.py" --tandem "$TANDEM" --venv none --out o --rounds 1000 \
        --peers tandem,tandem_eager --workloads seed --threads 1 --reference "$PWD/mine.json" >out 2>err &
    run=$!
    for _ in $(seq 600); do
        [ "$(pgrep -fc "peers.worker .*$PWD/mine.json" || true)" -lt 2 ] || break
        sleep 0.1
    done
    [ "$(pgrep -fc "peers.worker .*$PWD/mine.json")" = 2 ] || fail "no workers to be seen"
    kill -TERM $run
    wait $run && fail "an ended run: expected a status"
    ! pgrep -fa "peers.worker .*$PWD/mine.json" >&2 || fail "workers stay behind an ended run"
fi

compare 2 --workloads seed,nowhere
one_line "workloads nowhere: expected all, a group \(matmul, memory, networks, overhead\)"
compare 2 --peers torch,numpy --threads 1
one_line "peers numpy: expected some of tandem,"
compare 2 --threads 0
one_line "threads 0: expected numbers from 1 to"
compare 2 --tandem ./nothing
one_line "tandem ./nothing: can't be run"
compare 2 --draw nothing.json
one_line "draw nothing.json: can't be read"
