#!/usr/bin/env bash
# train cora: both engines agree to the last bit; files that are missing or damaged are refused by file and line.
# ctest-timeout: 600
# ctest-labels: release-only
. "$(dirname "$0")/lib_cli.sh"

refused "expected --data DIR" train cora
mkdir d
refused "d/cora.nodes.txt: can't be opened" train cora --data d
DATA=$TANDEM_SHARED/data
[ -r "$DATA/cora.nodes.txt" ] || { echo "no $DATA/cora.nodes.txt: skipped"; exit 77; }

expect 0 train cora --data "$DATA" --engine both --steps 3 --json both.json
has out '^gcn +seed 1 .*losses and parameters equal to the last bit'
has out '^mlp +seed 5 .*losses and parameters equal to the last bit'
has out '^losses and parameters: the same bits in both engines'
has out '^static: mean test accuracy of gcn over 5 seeds'
has both.json '"bit_identical": true'
for key in dataset epochs runs model seed engines loss accuracy result params_sha256 mean; do
    has both.json "\"$key\""
done
[ ! -s err ] || fail "train wrote to standard error although it is no terminal"

cp "$DATA/cora.nodes.txt" d/
refused "d/cora.edges.txt: can't be opened" train cora --data d
cp "$DATA/cora.edges.txt" d/

# damaged TEXT FILE SED...: one edit of a file, refused with TEXT.
damaged() {
    local text=$1 file=$2
    shift 2
    sed "$@" "$DATA/$file" >"d/$file"
    refused "$text" train cora --data d
    cp "$DATA/$file" "d/$file"
}
damaged "nodes.txt:7: expected a label from 0 to 6, found 9" cora.nodes.txt '7s/^./9/'
damaged "nodes.txt:7: expected a label from 0 to 6, found the end of the line" cora.nodes.txt '7s/.*//'
damaged "nodes.txt:8: expected a split (train, val, test or -), found 'dev'" cora.nodes.txt '8s/train/dev/'
damaged "nodes.txt:9: expected an ascending word number from 0 to 1432, found 1433" cora.nodes.txt '9s/train .*/train 1433/'
damaged "nodes.txt:9: expected an ascending word number from 6 to 1432, found 5" cora.nodes.txt '9s/train .*/train 5 5/'
damaged "nodes.txt:10: expected an ascending word number from 0 to 1432, found x" cora.nodes.txt '10s/train .*/train x/'
damaged "nodes.txt:2708: expected 2708 nodes, found 2707" cora.nodes.txt '2708d'
damaged "nodes.txt:2709: expected 2708 nodes, found more" cora.nodes.txt '2708p'
damaged "expected 140 nodes of the training split, found 139" cora.nodes.txt '1s/train/-/'
damaged "nodes.txt:3: expected ASCII text, found byte 0xc3" cora.nodes.txt '3s/train/tr\xc3\xa4in/'
damaged "edges.txt:5: expected a node from 0 to 2707, found 2708" cora.edges.txt '5s/ .*/ 2708/'
damaged "edges.txt:5: expected a node from 0 to 2707, found -1" cora.edges.txt '5s/ .*/ -1/'
damaged "edges.txt:5: expected a node from 0 to 2707, found the end of the line" cora.edges.txt '5s/ .*//'
damaged "edges.txt:6: expected the end of the line, found 7" cora.edges.txt '6s/$/ 7/'
damaged "edges.txt:5278: expected 5278 edges, found 5277" cora.edges.txt '5278d'
head -c 30000 "$DATA/cora.edges.txt" >d/cora.edges.txt
refused "d/cora.edges.txt:" train cora --data d
: >d/cora.edges.txt
refused "d/cora.edges.txt:1: expected text, found an empty file" train cora --data d
