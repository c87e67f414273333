#!/usr/bin/env bash
# Errors planted into the passes and into code generation: compare exits 1 and names the first bad node, its line, its
# kernel and the pass to blame; without the error it finds nothing.
. "$(dirname "$0")/lib_cli.sh"

need_planted

cat >div.tdm <<'TDM'
graph @div(%x: f32[9]) -> (f32[9]) {
  %k = constant {splat=0x1.8p+1} : f32[]      ; div.c:2
  %kb = broadcast %k : f32[9]                 ; div.c:3
  %e = exp %x : f32[9]                        ; div.c:4
  %q = div %e, %kb : f32[9]                   ; div.c:5
  return y: %q
}
TDM
cat >transpose.tdm <<'TDM'
graph @transpose(%x: f32[4,4,4]) -> (f32[4,4,4]) {
  %s = transpose %x {perm=[1,2,0]} : f32[4,4,4]   ; t.c:2
  %t = transpose %s {perm=[1,0,2]} : f32[4,4,4]   ; t.c:3
  %y = exp %t : f32[4,4,4]                        ; t.c:4
  return y: %y
}
TDM
cat >neg.tdm <<'TDM'
graph @neg(%x: f32[9], %z: f32[9]) -> (f32[9], f32[9]) {
  %n = neg %z : f32[9]       ; neg.c:2
  %y = add %x, %n : f32[9]   ; neg.c:3
  %a = sub %x, %z : f32[9]   ; neg.c:4
  %b = sub %z, %x : f32[9]   ; neg.c:5
  %p = mul %y, %a : f32[9]   ; neg.c:6
  return p: %p, b: %b
}
TDM
cat >assign.tdm <<'TDM'
graph @assign(%x: f32[40,40], %w: f32[40,40] variable) -> (f32[40,40]) {
  %new = mul %x, %w : f32[40,40]                                    ; assign.c:2
  %d = dot_general %new, %new {lhs_k=[1], rhs_k=[0]} : f32[40,40]   ; assign.c:3
  %y = dot_general %d, %w {lhs_k=[1], rhs_k=[0]} : f32[40,40]       ; assign.c:4
  return y: %y, assign %w = %new
}
TDM
cat >place.tdm <<'TDM'
graph @place(%x: f32[40,40], %w: f32[40,40]) -> (f32[40,40]) {
  %a = dot_general %x, %w {lhs_k=[1], rhs_k=[0]} : f32[40,40]   ; place.c:2
  %b = dot_general %a, %w {lhs_k=[1], rhs_k=[0]} : f32[40,40]   ; place.c:3
  %c = dot_general %b, %w {lhs_k=[1], rhs_k=[0]} : f32[40,40]   ; place.c:4
  return c: %c
}
TDM
cat >gradient.tdm <<'TDM'
graph @gradient(%x: f32[9]) -> (f32[9]) {
  %e = exp %x : f32[9]       ; g.c:2
  %y = mul %e, %x : f32[9]   ; g.c:3
  return y: %y
}
TDM
cat >weights.tdm <<TDM
graph @weights(%x: f32[9,64]) -> (f32[9,64]) {
  %w = constant {data=[$(seq -s, 4096)]} : f32[64,64]                ; weights.c:2
  %y = dot_general %x, %w {lhs_k=[1], rhs_k=[1]} : f32[9,64]         ; weights.c:3
  return y: %y
}
TDM
cat >chained.tdm <<'TDM'
graph @chained(%x: f32[8,120,120]) -> (f32[8,120,120]) {
  %a = dot_general %x, %x {lhs_batch=[0], rhs_batch=[0], lhs_k=[2], rhs_k=[1]} : f32[8,120,120]   ; chained.c:2
  %y = dot_general %a, %x {lhs_batch=[0], rhs_batch=[0], lhs_k=[2], rhs_k=[1]} : f32[8,120,120]   ; chained.c:3
  return y: %y
}
TDM

# ERROR  MODEL  PASS  OP  LINE  further options
while read -r error model pass op line more; do
    [ -e "$model.tdm" ] || cp "$MODELS/$model.tdm" .
    read -ra options <<<"$more"
    TANDEM=$PLANTED
    TANDEM_CODEGEN=$CODEGEN TANDEM_PLANT=$error expect 1 compare "$model.tdm" "${options[@]}" --json c.json
    blamed="pass $pass is to blame"
    [ "$pass" != codegen ] || blamed="codegen is to blame"
    has out "^first difference: node %[0-9]+ = $op at $line, kernel .*$blamed"
    has out DIFFERS
    has c.json '"node": "%[0-9]+"'
    has c.json "\"op\": \"$op\""
    has c.json "\"loc\": \"$line\""
    has c.json '"kernel": "'
    has c.json "\"pass\": \"$pass\""
    TANDEM_CODEGEN=$CODEGEN TANDEM_PLANT= expect 0 compare "$model.tdm" "${options[@]}" --json c.json
    has c.json '"first_divergence": null'
    TANDEM=$GOOD # whose passes have no errors to choose
    TANDEM_PLANT=$error expect 0 compare "$model.tdm" "${options[@]}"
done <<'ERRORS'
simplify-div        div        simplify  div         div.c:5
simplify-transpose  transpose  simplify  transpose   t.c:3
simplify-neg        neg        simplify  add         neg.c:3
fold                slices     fold      exp         slices.c:8
cse-attrs           slices     cse       slice       slices.c:6
cse-order           neg        cse       sub         neg.c:5
dce                 step       dce       sub         step.c:5
pack                weights    pack      dot_general weights.c:3
fuse                neg        fuse      mul         neg.c:6
chain               chained    chain     dot_general chained.c:3 --threads 1
plan-in-place       place      plan      dot_general place.c:3
plan-assign         assign     plan      dot_general assign.c:4
gradient            gradient   gradient  mul         g.c:2   --gradients
codegen             mlp        codegen   div         mlp.c:13  --dim n=7
ERRORS
