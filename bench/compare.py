#!/usr/bin/env python3
"""Tandem beside PyTorch, torch.compile, JAX, ONNX Runtime and OpenVINO on the workloads of tandem bench.

Every library runs in a process of its own on the same inputs. What it computes is checked by fingerprints
against PyTorch in f64 before it is timed. Times are medians of interleaved rounds; a round that other
processes disturb is taken again. Writes compare.json, compare.md and compare.svg. Exit status: 1 where
something failed or disagreed, 2 bad usage.
"""
import argparse
import datetime
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
sys.path.insert(0, HERE)
from peers import machine, picture, reference, registry, rounds, specs, table  # noqa: E402


class Bad(Exception):
    """Bad usage: one line."""


def options(argv):
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--peers", default=",".join(registry.PEERS), help="default: %(default)s")
    a.add_argument("--workloads", default="all", help="names, groups, or all (default)")
    a.add_argument("--threads", default="1,2", help="default: %(default)s")
    a.add_argument("--rounds", type=int, default=3)
    a.add_argument("--seconds", type=float, default=0.4, help="a round's least time (default %(default)s)")
    a.add_argument("--calls", type=int, default=4, help="a round's least calls (default %(default)s)")
    a.add_argument("--quick", action="store_true", help="one round of 0.1 s: for a look, not for figures")
    build = os.path.join(ROOT, "build")
    a.add_argument("--out", default=os.path.join(build, "compare"), help="folder (default build/compare)")
    a.add_argument("--tandem", default=os.path.join(build, "tandem"), help="the command (build/tandem)")
    a.add_argument("--venv", default=os.path.join(build, "venv"),
                   help="Python environment that has the libraries, used if it is there (default build/venv)")
    a.add_argument("--install", action="store_true",
                   help="makes that environment, with all of them (several GB), and ends")
    a.add_argument("--reference", default=reference.PATH, help=argparse.SUPPRESS)
    a.add_argument("--draw", metavar="FILE", help="no run: table and picture of a compare.json")
    o = a.parse_args(argv)
    if o.quick:
        o.rounds, o.seconds, o.calls = 1, 0.1, 2
    if o.rounds < 1 or o.calls < 1 or not o.seconds > 0:
        raise Bad("--rounds, --seconds, --calls: expected numbers above zero")
    return o


def install(venv):
    import venv as builder
    builder.create(venv, with_pip=True)
    python = os.path.join(venv, "bin", "python")
    subprocess.run([python, "-m", "pip", "install", *registry.packages()], check=True)


def enter(venv):
    """Goes on in the environment's Python, if there is one and this isn't it."""
    python = os.path.join(venv, "bin", "python")
    if os.path.exists(python) and os.path.realpath(sys.prefix) != os.path.realpath(venv):
        os.execv(python, [python, *sys.argv])


def workloads(tandem):
    """name -> facts, as the command lists them."""
    try:
        out = subprocess.run([tandem, "bench", "--list"], check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError) as e:
        raise Bad(f"--tandem {tandem}: can't be run ({e})") from e
    rows = (line.split() for line in out.splitlines())
    return {name: {"group": group, "kind": kind} for name, group, kind in rows}


def choose(text, known):
    """Names in the order of the list, from names, groups and `all`."""
    want, groups = set(), {w["group"] for w in known.values()}
    for t in text.split(","):
        if t != "all" and t not in known and t not in groups:
            raise Bad(f"--workloads {t}: expected all, a group ({', '.join(sorted(groups))}) or a name of "
                      "tandem bench --list")
        want |= {n for n, w in known.items() if t in ("all", n, w["group"])}
    return [n for n in known if n in want]


def choose_peers(text):
    """(peers that can run, {peer: why it can't}); Tandem static is always measured."""
    names = text.split(",")
    for p in names:
        if p not in registry.PEERS:
            raise Bad(f"--peers {p}: expected some of {','.join(registry.PEERS)}")
    want = [p for p in registry.PEERS if p in names or p == "tandem"]
    absent = {p: "not installed: " + ", ".join(m) for p in want if (m := registry.missing(p))}
    return [p for p in want if p not in absent], absent


def choose_threads(text):
    have = len(os.sched_getaffinity(0))
    threads = text.split(",")
    for t in threads:
        if not t.isdigit() or not 1 <= int(t) <= have:
            raise Bad(f"--threads {t}: expected numbers from 1 to {have}, the CPUs here")
    return threads


def facts(names, known, expected):
    """What tables need to know of the workloads."""
    out = {}
    for n in names:
        if n not in specs.SPECS or n not in expected:
            raise Bad(f"{n}: in tandem bench --list, but bench/peers/ has no inputs or reference for it")
        s = specs.SPECS[n]
        out[n] = known[n] | {"ceiling": s.ceiling, "bytes": s.bytes, "flops": expected[n]["flops"]}
    return out


def show(name, threads, records):
    print(f"{name}, {threads} thread(s)", flush=True)
    for p, x in records.items():
        text = x.get("na") or x.get("fail")
        if not text:
            text = (f"{table.milliseconds(x['median_ms']):>10} ms   first call {x['compile_s']:6.2f} s   "
                    f"{x['rss_mb']:5.0f} MiB   error {x['error']:.0e}   foreign {x['foreign']:.2f}")
        print(f"    {registry.PEERS[p].title:14s} {text}", flush=True)


def write(doc, out, draw):
    with open(os.path.join(out, "compare.json.tmp"), "w") as f:
        json.dump(doc, f, indent=1)
    os.replace(f.name, os.path.join(out, "compare.json"))
    with open(os.path.join(out, "compare.md"), "w") as f:
        f.write(table.markdown(doc))
    if draw and registry.version("matplotlib"):
        picture.draw(doc, os.path.join(out, "compare.svg"))
    elif draw:
        print("no picture: matplotlib is not installed")


def run(o):
    known, expected = workloads(o.tandem), reference.load(o.reference)
    names, threads = choose(o.workloads, known), choose_threads(o.threads)
    peers, absent = choose_peers(o.peers)
    for p, why in absent.items():
        print(f"{registry.PEERS[p].title} is left out: {why}", flush=True)
    packages = dict.fromkeys(registry.PEERS[p].package for p in peers if p not in registry.OURS)
    doc = {"machine": machine.describe(), "absent": absent,
           "versions": {p: registry.version(p) for p in packages},
           "options": {"rounds": o.rounds, "seconds": o.seconds, "calls": o.calls, "foreign": rounds.FOREIGN},
           "workloads": facts(names, known, expected), "ceilings": {}, "runs": {t: {} for t in threads}}
    scratch = tempfile.mkdtemp(prefix="compare-")
    cache = os.environ.get("PEERS_CACHE") or os.path.join(o.out, "cache")
    try:
        for t in threads:
            doc["ceilings"][t] = machine.ceilings(int(t))
            env = rounds.environment(int(t), os.path.abspath(o.tandem), scratch, cache)
            for n in names:
                doc["runs"][t][n] = rounds.measure(n, peers, int(t), o, env)
                doc["finished"] = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
                show(n, t, doc["runs"][t][n])
                write(doc, o.out, draw=False)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return doc


def main(argv):
    o = options(argv)
    if o.install:
        install(o.venv)
        return 0
    enter(o.venv)
    os.makedirs(o.out, exist_ok=True)
    if o.draw:
        try:
            doc = reference.load(o.draw)
        except (OSError, ValueError) as e:
            raise Bad(f"--draw {o.draw}: can't be read ({e})") from e
    else:
        doc = run(o)
    write(doc, o.out, draw=True)
    print("\n".join(table.summary(doc)))
    return int(any("fail" in x for r in doc["runs"].values() for w in r.values() for x in w.values()))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))    # through `finally`: no stopped worker stays
    try:
        sys.exit(main(sys.argv[1:]))
    except Bad as e:
        print(f"compare: {e}", file=sys.stderr)
        sys.exit(2)
