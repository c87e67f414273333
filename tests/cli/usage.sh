#!/usr/bin/env bash
# Help, versions and bad usage: exit statuses and one-line messages.
. "$(dirname "$0")/lib_cli.sh"

expect 0 --help
for verb in run compare bench opt dump info train convert version doctor; do
    has out "^  $verb "
done
for verb in run compare bench opt dump info train convert version doctor; do
    expect 0 "$verb" --help
    has out "^usage: tandem $verb"
    expect 0 --help
    refused "there is no option '--nonsense'" "$verb" --nonsense
done
expect 0 version
has out '^tandem [0-9]+\.[0-9]+\.[0-9]+$'
expect 0 doctor
for line in CPU 'eager kernels' LLVM threads 'flush to zero' 'numerics  *strict; fast: contract' 'OpenBLAS  *not built in'; do
    has out "^$line"
done

refused "there is no verb 'nonsense'" nonsense
refused "expected a verb"
refused "needs a value" run --threads
refused "--threads 0" run --threads 0 "$MODELS/mlp.tdm"
refused "--threads x" compare --threads x "$MODELS/mlp.tdm"
refused "--width 3" run --width 3 "$MODELS/mlp.tdm"
refused "isa 'nonsense'" run --isa nonsense "$MODELS/step.tdm"
refused "--numerics nonsense: expected strict, fast, or fast: with some of contract" bench seed --numerics nonsense
refused "there is no freedom 'speed': expected some of contract" run --numerics fast:contract,speed "$MODELS/mlp.tdm"
refused "there is no freedom ''" run --numerics fast: "$MODELS/mlp.tdm"
refused "'seed' is a workload: expected --prices, or a MODEL" compare seed
refused "--min-time x: expected seconds" compare seed --prices --min-time x
refused "expected static or eager" run --engine nonsense "$MODELS/mlp.tdm"
refused "expected one MODEL, found 0" run
refused "expected one MODEL, found 2" compare a.tdm b.tdm
refused "there is no workload 'nonsense'" bench nonsense
refused "--min-time" bench seed --min-time -1
refused "there is no pass 'nonsense'" opt --passes fold,nonsense "$MODELS/step.tdm"
refused "there is no job 'nonsense'" train nonsense
refused "expected two files A and B, found 1" convert a.npz
refused "models are not converted yet" convert a.npz b.tdm
refused "a.npz: can't open" convert a.npz b.safetensors
refused "--epochs 0" train digits --epochs 0
refused "--stage nonsense" dump --stage nonsense "$MODELS/step.tdm"
refused "there is no pass 'nonsense'" dump --stage after=nonsense "$MODELS/step.tdm"
refused "svg is not built in" dump --format svg "$MODELS/step.tdm"
