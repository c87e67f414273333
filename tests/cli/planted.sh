#!/usr/bin/env bash
# An error planted into one pass: compare exits 1 and names the first bad node, its line and its kernel.
. "$(dirname "$0")/lib_cli.sh"

PLANTS=$(dirname "$TANDEM")/tests


for plant in "simplify slices sub slices.c:7" "cse slices slice slices.c:6" "fold slices exp slices.c:8" \
             "fuse mlp div mlp.c:13"; do
    read -r pass model op line <<<"$plant"
    dim=(--dim n=7)
    [ "$model" = mlp ] || dim=()
    good=$TANDEM
    TANDEM=$PLANTS/tandem-plant-$pass
    [ -x "$TANDEM" ] || fail "there is no $TANDEM"
    expect 1 compare "$MODELS/$model.tdm" "${dim[@]}" --json c.json
    has out "^first difference: node %[0-9]+ = $op at $line, kernel "
    has out DIFFERS
    has c.json '"node": "%[0-9]+"'
    has c.json "\"op\": \"$op\""
    has c.json "\"loc\": \"$line\""
    has c.json '"kernel": "'
    has c.json '"pass": null'
    TANDEM=$good
    expect 0 compare "$MODELS/$model.tdm" "${dim[@]}"
done
