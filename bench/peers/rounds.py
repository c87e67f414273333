"""Interleaved timing: a process for every peer, all alive at once; the others are stopped while one runs."""
import contextlib
import json
import os
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from . import machine, registry, specs

FOREIGN = 0.15     # of a CPU that other processes may use in a round
REPEATS = 3        # of a round that was disturbed; the quietest counts
LIMIT_S = 300      # for a start or a round


def environment(threads, tandem, scratch, cache):
    e = dict(os.environ)
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        e.pop(name, None)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        e[name] = str(threads)
    e.update(TANDEM=tandem, PEERS_CACHE=os.path.abspath(cache), CUDA_VISIBLE_DEVICES="", JAX_PLATFORMS="cpu",
             PYTHONDONTWRITEBYTECODE="1", PYTHONPATH=os.path.dirname(machine.HERE),
             XDG_CACHE_HOME=os.path.join(scratch, "cache"),
             TORCHINDUCTOR_CACHE_DIR=os.path.join(scratch, "inductor"))
    return e


class Process:
    """A worker."""

    def __init__(self, peer, workload, threads, reference, env):
        self.read, write = os.pipe()
        self.buffer, self.log = b"", tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "peers.worker", peer, workload, str(threads), str(write), reference],
            stdin=subprocess.PIPE, stdout=self.log, stderr=subprocess.STDOUT, pass_fds=[write], env=env,
            start_new_session=True, preexec_fn=lambda: machine.bind(threads))
        os.close(write)
        self.pid = self.process.pid

    def ask(self, text):
        """Sends a command and waits for its answer: a dict with ok, or with fail."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write((text + "\n").encode())
            self.process.stdin.flush()
        end = time.monotonic() + LIMIT_S
        while b"\n" not in self.buffer:
            if not select.select([self.read], [], [], max(0, end - time.monotonic()))[0]:
                return {"ok": False, "fail": f"no answer in {LIMIT_S} s"}
            got = os.read(self.read, 1 << 16)
            if not got:
                return {"ok": False, "fail": f"ended with status {self.process.wait()}: {self.tail()}"}
            self.buffer += got
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def tail(self):
        self.log.seek(0)
        return self.log.read().strip().replace("\n", " | ")[-300:]

    def signal(self, number):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def end(self):
        self.signal(signal.SIGKILL)      # its session: what it started goes with it
        self.process.wait()
        self.process.stdin.close()
        os.close(self.read)
        self.log.close()


def one_round(p, seconds, calls):
    """A round, taken again when other processes used the machine meanwhile."""
    best = None
    for _ in range(REPEATS):
        p.signal(signal.SIGCONT)
        everyone, own, begin = machine.used(), machine.used_by(p.pid), time.monotonic()
        r = p.ask(f"round {seconds} {calls}")
        if not r["ok"]:
            return r
        everyone, own = machine.used() - everyone, machine.used_by(p.pid) - own
        wall = time.monotonic() - begin
        p.signal(signal.SIGSTOP)
        r["foreign"] = round(max(0.0, everyone - own - r.pop("child_cpu")) / wall, 3)
        if best is None or r["foreign"] < best["foreign"]:
            best = r
        if best["foreign"] <= FOREIGN:
            break
    return best


def launch(peer, workload, threads, reference, env):
    """(process, record): the process is None where the peer has failed, has no gradients, or disagrees."""
    if not registry.PEERS[peer].gradients and specs.SPECS[workload].kind != "forward":
        return None, {"na": "no gradients"}
    p, kept = Process(peer, workload, threads, reference, env), False
    try:
        r = p.ask("start")
        p.signal(signal.SIGSTOP)
        kept = r.pop("ok") and r["agrees"]
    finally:
        if not kept:
            p.end()
    if not kept and "fail" not in r:
        r["fail"] = f"disagrees: error {r['error']:.1e}"
    return p if kept else None, r


def summary(r, rounds):
    r["min_ms"] = min(x["min"] for x in rounds)
    r["median_ms"] = statistics.median(x["median"] for x in rounds)
    r["rss_mb"] = max(x["rss_mb"] for x in rounds)
    r["foreign"] = max(x["foreign"] for x in rounds)
    r["rounds"] = [x["median"] for x in rounds]


def measure(workload, peers, threads, o, env):
    """{peer: record}. A record has median_ms, or fail or na."""
    results, live, rounds = {}, {}, {}
    try:
        for peer in peers:
            p, results[peer] = launch(peer, workload, threads, o.reference, env)
            if p:
                live[peer], rounds[peer] = p, []
        for _ in range(o.rounds):
            for peer in list(live):
                r = one_round(live[peer], o.seconds, o.calls)
                if r.pop("ok"):
                    rounds[peer].append(r)
                else:
                    results[peer]["fail"] = r["fail"]
                    live.pop(peer).end()
        for peer in live:
            summary(results[peer], rounds[peer])
    finally:
        for p in live.values():
            p.end()
    return results
