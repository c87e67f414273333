#!/usr/bin/env bash
# The disk cache from the command: hit and miss in the reports, --cache, doctor and --clear-cache.
. "$(dirname "$0")/lib_cli.sh"
unset TANDEM_CACHE
export XDG_CACHE_HOME=$WORK/xdg
model=$MODELS/step.tdm

expect 0 run "$model" --timings
has out '^compile .*fuse .*cache .*codegen .*link .* ms \(.* in all\)'
has out '^cache   miss \(no entry\)$'
grep -v '^compile\|^cache\|^first' out >first
expect 0 run "$model" --timings
has out '^cache   hit$'
lacks out 'codegen'
grep -v '^compile\|^cache\|^first' out | cmp - first
expect 0 compare "$model"
has out '^cache   hit$'
expect 0 compare "$model" --json report.json
has report.json '"cache": "hit"'
expect 0 run "$model" --timings --cache off
has out '^cache   off$'
expect 0 run "$model" --timings --cache "$WORK/mine"
has out '^cache   miss'

expect 0 doctor
has out "^disk cache     $WORK/xdg/tandem: 1 programs"
expect 0 doctor --cache off
has out '^disk cache     off$'
expect 0 doctor --clear-cache
has out '^removed 1 programs$'
expect 0 run "$model" --timings
has out '^cache   miss \(no entry\)$'

# A benchmark compiles unless told otherwise.
expect 0 bench seed_fwd --engine static --min-time 0.001 --timings --json bench.json
has out '^cache   off$'
has bench.json '"compile_ms": \{'
expect 0 bench seed_fwd --engine static --min-time 0.001 --cache "$WORK/mine" --timings
has out '^cache   miss'
refused "there is no option '--empty'" doctor --empty
