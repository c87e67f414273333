#!/usr/bin/env bash
# run, compare, opt, dump and info on sample models, and on files that are damaged.
. "$(dirname "$0")/lib_cli.sh"

# run: both engines write the same bytes.
for engine in static eager; do
    expect 0 run "$MODELS/mlp.tdm" --dim n=7 --engine $engine --output p=$engine.npy --threads 1
    has out '^p f32\[7,10\] '
    has out '^total f32\[10\] '
done
cmp static.npy eager.npy || fail "run: the engines wrote different bytes"
cp static.npy p.npy
expect 0 run "$MODELS/mlp.tdm" --dim n=7 --input x=zeros --input w2=random:9
has out '^p '
for width in 16 8 4 1; do
    expect 0 run "$MODELS/mlp.tdm" --dim n=7 --width $width --output p=w.npy
    cmp w.npy p.npy || fail "run --width $width gives other bytes"
done

# Kernels that look alike but of which more is known of one.
expect 0 compare "$MODELS/row_max.tdm"
expect 0 compare "$MODELS/tree_zero.tdm" --width 1

# Files as inputs: a matrix through .npy and back.
cat >id.tdm <<'TDM'
graph @id(%x: f32[7,10]) -> (f32[7,10]) {
  %y = neg %x : f32[7,10]
  %z = neg %y : f32[7,10]
  return z: %z
}
TDM
expect 0 run id.tdm --input x=p.npy --output z=z.npy
cmp z.npy p.npy || fail "an array changed on its way through .npy"
refused "expects f32[7,20], found f32[7,10]" run "$MODELS/mlp.tdm" --dim n=7 --input x=p.npy
head -c 100 p.npy >short.npy
refused "short.npy" run id.tdm --input x=short.npy
printf 'not an array' >wrong.npy
refused "wrong.npy" run id.tdm --input x=wrong.npy
sed 's/<f4/>f4/' p.npy >big.npy
refused ">f4" run id.tdm --input x=big.npy
printf '\x93NUMPY\x01\x00\xff\xff{' >length.npy
refused "length.npy" run id.tdm --input x=length.npy
refused "missing.npy" run id.tdm --input x=missing.npy
refused "no input or variable" run id.tdm --input nonsense=zeros
refused "expected NAME=" run id.tdm --input x
refused "random:SEED" run id.tdm --input x=random:y
refused "no output of that name" run id.tdm --output nonsense=o.npy

# Damaged models name file and line.
refused "missing.tdm" run missing.tdm
refused "onnx" run model.onnx
mkdir folder.tdm
refused "folder.tdm" run folder.tdm
: >empty.tdm
refused "empty.tdm:1" run empty.tdm
head -c 90 id.tdm >cut.tdm
refused "cut.tdm:" run cut.tdm
sed 's/neg %x/nonsense %x/' id.tdm >op.tdm
refused "op.tdm:2" run op.tdm
sed 's/neg %x : f32\[7,10\]/neg %x : f32[7,11]/' id.tdm >shape.tdm
refused "shape.tdm:2" compare shape.tdm
sed 's/f32\[7,10\]) ->/f32[0,10]) ->/' id.tdm >zero.tdm
refused "zero.tdm:1" info zero.tdm
sed 's/neg %y/neg %q/' id.tdm >unknown.tdm
refused "unknown.tdm:3" opt unknown.tdm
refused "symbolic dim 'n' needs a value" run "$MODELS/mlp.tdm"
refused "no symbolic dim" run "$MODELS/step.tdm" --dim n=7
refused "N >= 1" run "$MODELS/mlp.tdm" --dim n=0

# compare
for model in "mlp --dim n=7" "mlp --dim n=7 --gradients" step slices "slices --gradients" "step --per-node"; do
    read -ra words <<<"$model"
    expect 0 compare "$MODELS/${words[0]}.tdm" "${words[@]:1}" --json c.json
    has out 'the same bits'
    lacks out DIFFERS
    for key in outputs first_divergence kernels compile_ms memory static_us eager_us break_even_calls bit_equal max_ulp \
               max_abs name nodes bytes static eager; do
        has c.json "\"$key\""
    done
    has c.json '"first_divergence": null'
done
has out 'step.c:5'

# opt is a filter; its output is a fixed point.
expect 0 opt "$MODELS/slices.tdm" --passes simplify,fold,cse,dce
cp out once.tdm
expect 0 opt once.tdm --passes simplify,fold,cse,dce
cmp out once.tdm || fail "opt: printed text does not read back as itself"
refused "-:1" opt -
expect 0 opt --verify "$MODELS/mlp.tdm"
[ ! -s out ] || fail "opt --verify printed something"
expect 0 opt "$MODELS/mlp.tdm" --passes gradient
has out 'grad_w1'
expect 0 opt "$MODELS/step.tdm" --no-simplify
has out 'kernel '

# dump at every stage
for stage in graph gradient after=fold kernels arena llvm asm; do
    expect 0 dump "$MODELS/step.tdm" --stage $stage
    [ -s out ] || fail "dump --stage $stage printed nothing"
done
has out 'k0_'
expect 0 dump "$MODELS/step.tdm" --stage llvm
has out 'define '
expect 0 dump "$MODELS/mlp.tdm" --dim n=7 --stage kernels --gradients
has out softmax
has out '^    tile [0-9]+ x [0-9]+.*; B .*unit: [0-9]+ rows'
expect 0 dump "$MODELS/mlp.tdm" --format dot
has out '^digraph'

# info
expect 0 info "$MODELS/mlp.tdm" --dim n=7
has out '^input +x +f32\[7,20\]'
has out '^variable +w1 +f32\[33,20\]'
has out '^output +p +f32\[7,10\]'
has out '^dot_general +2 +13860 '
