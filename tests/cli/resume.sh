#!/usr/bin/env bash
# train --save and --load: a resumed run has the losses and parameters of the uninterrupted one, to the last bit, in
# both engines and from one to the other, also in the middle of an epoch; a run that is killed leaves a good file.
. "$(dirname "$0")/lib_cli.sh"

# Losses, metrics and hash of one engine, without its times.
essence() { grep -vE 'step_us|bit_identical|"static"|"eager"|result' "$1" | tr -d ' \n'; }

expect 0 train digits --engine both --epochs 4 --json whole.json --threads 1
lacks out 'going on after'
expect 0 train digits --engine static --epochs 4 --json static.json
essence static.json >want
for first in static eager; do
    for next in static eager; do
        expect 0 train digits --engine $first --epochs 2 --save run.safetensors
        expect 0 train digits --engine $next --epochs 4 --load run.safetensors --json resumed.json
        has out '^run.safetensors: going on after epoch 2, step 88$'
        essence resumed.json | cmp - want || fail "$first, then $next: other bits"
    done
    # In the middle of an epoch, then a step, then all but the last step, each in a file of the other kind.
    expect 0 train digits --engine $first --steps 70 --epochs 4 --save a.npz
    expect 0 train digits --engine $first --steps 71 --epochs 4 --load a.npz --save b.safetensors
    expect 0 train digits --engine $first --steps 175 --epochs 4 --load b.safetensors --save a.npz
    expect 0 train digits --engine $first --epochs 4 --load a.npz --save a.npz --json resumed.json
    essence resumed.json | cmp - want || fail "$first in the middle of an epoch: other bits"
done
expect 0 train digits --engine both --epochs 4 --load run.safetensors --json both.json
has out 'losses and parameters of 176 steps: the same bits in both engines'
grep -v step_us both.json | cmp - <(grep -v step_us whole.json) || fail "both engines from one file: other bits"
expect 0 train digits --engine static --epochs 4 --load a.npz --json resumed.json # nothing is left to do
essence resumed.json | cmp - want || fail "a finished run: other bits"

# Killed at any time: the file is a whole one, and the run goes on from it to the same bits.
for tenth in 1 2 3; do
    rm -f killed.safetensors
    "$TANDEM" train digits --engine eager --epochs 2000 --save killed.safetensors >/dev/null &
    pid=$!
    until [ -s killed.safetensors ]; do sleep 0.01; done
    sleep 0.$tenth
    kill -USR1 $pid
    sleep 0.02
    kill -KILL $pid
    wait $pid 2>/dev/null || true
    expect 0 convert killed.safetensors killed.npz
done
refused "steps are done" train digits --engine eager --epochs 1 --load killed.safetensors
more=$(($(sed -E 's/.*: ([0-9]+) steps are done.*/\1/' err) + 10))
expect 0 train digits --epochs 2000 --steps $more --load killed.safetensors --json resumed.json
expect 0 train digits --epochs 2000 --steps $more --json static.json
cmp <(essence static.json) <(essence resumed.json) || fail "killed, then resumed: other bits"

# Dropout and a job of several runs, across the engines; the runs without a file begin afresh.
if [ -r "$TANDEM_SHARED/data/cora.nodes.txt" ]; then
    cora=(train cora --data "$TANDEM_SHARED/data")
    expect 0 "${cora[@]}" --steps 2 --json whole.json
    expect 0 "${cora[@]}" --steps 1 --save c.safetensors
    rm c-mlp-5.safetensors
    expect 0 "${cora[@]}" --engine eager --steps 2 --load c.safetensors --json resumed.json
    [ "$(grep sha256 resumed.json)" = "$(grep sha256 whole.json)" ] || fail "cora, resumed: other bits"
fi

refused "none.npz: can't open" train digits --load none.npz
refused "expected a path that ends in" train digits --epochs 1 --save run.txt
refused "run.safetensors: seed '2' expected, found '1'" train digits --load run.safetensors --seed 2
refused "run.safetensors: 88 steps are done: this run ends after 44" train digits --load run.safetensors --epochs 1
head -c 500 run.safetensors >cut.safetensors
refused "cut.safetensors: " train digits --load cut.safetensors
