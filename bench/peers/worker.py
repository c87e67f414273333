"""One peer on one workload in its own process: python -m peers.worker PEER WORKLOAD THREADS FD REFERENCE.

Commands come on standard input; each is answered by a line of JSON on FD, with "ok", or "fail" and an end.

    start                 import, build, first call, check of the outputs
    round SECONDS CALLS   at least CALLS calls in at least SECONDS
"""
import gc
import importlib
import json
import os
import statistics
import sys
import time

from . import gen, machine, reference, registry, specs

now = time.perf_counter
BATCH_S = 1e-4     # shorter calls are timed together


def start(peer, workload, threads, path):
    module = importlib.import_module("peers.adaptors." + registry.PEERS[peer].adaptor)
    spec = specs.SPECS[workload]
    t = now()
    module.load(peer)
    r = {"import_s": now() - t}
    job = module.Job(workload, peer, threads)
    t = now()
    if hasattr(job, "compile"):
        job.compile()
    first = job.call()
    r["compile_s"] = now() - t
    if hasattr(job, "prints"):
        prints = job.prints()
        r["compile_s"] = job.ready["compile_s"] + job.ready["first_call_s"]
    else:
        prints = [gen.fingerprint(x) for x in reference.outputs(job, spec, first)]
    r["error"] = reference.error(prints, reference.load(path)[workload]["prints"])
    r["agrees"] = r["error"] <= spec.tol
    return job, r


def warm(job):
    """Seconds of a call that is not the first."""
    job.call()
    if hasattr(job, "batch"):
        job.batch(3)
        return job.batch(10) / 10
    t = now()
    job.call()
    return now() - t


def batch(call, n):
    t = now()
    for _ in range(n):
        call()
    return now() - t


def time_round(job, seconds, calls, once):
    """Samples of ms a call. A slow workload gets fewer calls: about two seconds."""
    run = job.batch if hasattr(job, "batch") else lambda n: batch(job.call, n)
    pid = job.pid() if hasattr(job, "pid") else "self"
    n = max(1, min(100000 if hasattr(job, "batch") else 100, int(BATCH_S / max(once, 1e-9))))
    least = min(calls, max(1, int(2 / max(once, 1e-9))))
    samples, cpu, begin = [], machine.used_by(pid), now()
    gc.collect()
    gc.disable()
    while now() - begin < seconds or len(samples) * n < least:
        samples.append(run(n) / n * 1e3)
    gc.enable()
    return {"min": min(samples), "median": statistics.median(samples), "calls": len(samples) * n,
            "rss_mb": machine.peak_rss_mb(pid),
            "child_cpu": machine.used_by(pid) - cpu if pid != "self" else 0.0}


def main(peer, workload, threads, fd, path):
    job = once = None
    with os.fdopen(int(fd), "w", buffering=1) as out:
        for line in sys.stdin:
            command, *numbers = line.split()
            try:
                if command == "start":
                    job, r = start(peer, workload, int(threads), path)
                    once = warm(job) if r["agrees"] else None
                else:
                    r = time_round(job, float(numbers[0]), int(numbers[1]), once)
                r["ok"] = True
            except Exception as e:
                r = {"ok": False, "fail": f"{type(e).__name__}: {e}"[:400]}
            out.write(json.dumps(r) + "\n")
            if not r["ok"]:
                break


if __name__ == "__main__":
    main(*sys.argv[1:])
