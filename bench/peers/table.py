"""A result's figures: ratios, geometric means, shares of the ceilings; as Markdown."""
import math

from . import registry

CAP = 3.0          # a ratio counts for no more than this in a geometric mean
TIE = 0.97         # as fast as the fastest peer
AT_CEILING = 0.95


def best_peer(record):
    """(name, ms) of the fastest peer of a workload; None where none was measured."""
    ms = {p: x["median_ms"] for p, x in record.items() if p not in registry.OURS and "median_ms" in x}
    return min(ms.items(), key=lambda x: x[1]) if ms else None


def ratio(record):
    """Fastest peer / Tandem static: above 1 Tandem is ahead."""
    best, ours = best_peer(record), record.get("tandem", {}).get("median_ms")
    return best[1] / ours if best and ours else None


def share(workload, record, ceilings):
    """The part of its ceiling that Tandem static reaches; None where there is none."""
    ms, name = record.get("tandem", {}).get("median_ms"), workload["ceiling"]
    work = workload["flops"] if name == "fma_gflops" else workload["bytes"]
    if not ms or not name or not work or not ceilings.get(name):
        return None
    return work / (ms * 1e-3) / (ceilings[name] * 1e9)


def geometric_mean(ratios):
    capped = [min(r, CAP) for r in ratios if r]
    return math.exp(sum(map(math.log, capped)) / len(capped)) if capped else None


def means(doc, threads):
    """group -> (geometric mean of the capped ratios, how many)."""
    run = doc["runs"][threads]
    groups = {}
    for name, record in run.items():
        if r := ratio(record):
            groups.setdefault(doc["workloads"][name]["group"], []).append(r)
    return {g: (geometric_mean(rs), len(rs)) for g, rs in groups.items()}


def short(doc, threads):
    """Workloads that are neither as fast as the fastest peer nor at their ceiling: (name, ratio, share)."""
    out = []
    for name, record in doc["runs"][threads].items():
        r = ratio(record)
        s = share(doc["workloads"][name], record, doc["ceilings"].get(threads, {}))
        if r and r < TIE and not (s and s >= AT_CEILING):
            out.append((name, r, s))
    return out


def milliseconds(v):
    digits = 6 if v < 0.001 else 5 if v < 0.01 else 4 if v < 1 else 3 if v < 10 else 1
    return f"{v:.{digits}f}"


def threads_text(threads):
    return "1 thread" if threads == "1" else f"{threads} threads"


def percent(s):
    return f"{100 * s:.0f} %" if s else ""


def cell(x, fastest):
    if "median_ms" not in x:
        return "-" if "na" in x or not x else "failed"
    text = milliseconds(x["median_ms"])
    return f"**{text}**" if x["median_ms"] == fastest else text


def rows(doc, threads, peers):
    for name, record in doc["runs"][threads].items():
        fastest = min((x["median_ms"] for x in record.values() if "median_ms" in x), default=None)
        r, s = ratio(record), share(doc["workloads"][name], record, doc["ceilings"].get(threads, {}))
        cells = [cell(record.get(p, {}), fastest) for p in peers]
        yield f"| {name} | {' | '.join(cells)} | {f'{r:.2f}' if r else ''} | {percent(s)} |"


def times(doc, threads, peers):
    titles = [registry.PEERS[p].title for p in peers]
    c = doc["ceilings"].get(threads, {})
    yield f"\n## {threads_text(threads)}\n"
    if "fma_gflops" in c:
        yield (f"Ceilings: {c['fma_gflops']:.0f} GFLOP/s of f32 multiply-adds; arrays of 64 MiB: "
               f"{c['copy_nt_64M']:.1f} GB/s copying past the cache, {c['read_64M']:.1f} GB/s reading.\n")
    yield f"| ms | {' | '.join(titles)} | peer / Tandem | of ceiling |"
    yield "|---|" + "---|" * (len(peers) + 2)
    yield from rows(doc, threads, peers)


def memory(doc, threads, peers):
    """Peak resident memory of the processes, where it says something: networks."""
    names = [n for n in doc["runs"][threads] if doc["workloads"][n]["group"] == "networks"]
    if not names:
        return
    yield f"\nPeak resident memory (VmHWM of the process, libraries and inputs in it), MiB:\n"
    yield f"| MiB | {' | '.join(registry.PEERS[p].title for p in peers)} |"
    yield "|---|" + "---|" * len(peers)
    for n in names:
        mb = [doc["runs"][threads][n].get(p, {}).get("rss_mb") for p in peers]
        yield f"| {n} | {' | '.join(f'{x:.0f}' if x else '-' for x in mb)} |"


def summary(doc):
    runs = list(doc["runs"])
    table = {t: means(doc, t) for t in runs}
    groups = list(dict.fromkeys(w["group"] for w in doc["workloads"].values()))
    yield f"Geometric means of (fastest peer / Tandem static), each ratio capped at {CAP:g}:\n"
    yield "| group | workloads | " + " | ".join(map(threads_text, runs)) + " |"
    yield "|---|---|" + "---|" * len(runs)
    for g in groups:
        got = [table[t].get(g) for t in runs]
        count = max((x[1] for x in got if x), default=0)
        yield f"| {g} | {count} | " + " | ".join(f"{x[0]:.2f}" if x else "" for x in got) + " |"
    for t in runs:
        for name, r, s in short(doc, t):
            of = f", {percent(s)} of its ceiling" if s else ""
            yield f"\nShort, {threads_text(t)}: {name}, {r:.2f} of the fastest peer's speed{of}"


def troubles(doc):
    """What was asked for and not measured, and what was measured beside other work."""
    for peer, why in doc["absent"].items():
        yield f"- {registry.PEERS[peer].title} was left out: {why}"
    for threads, run in doc["runs"].items():
        for name, record in run.items():
            for peer, x in record.items():
                what = f"- {name}, {threads_text(threads)}, {registry.PEERS[peer].title}: "
                if "fail" in x:
                    yield what + x["fail"][:200]
                elif x.get("foreign", 0) > doc["options"]["foreign"]:
                    yield what + f"disturbed, others used {x['foreign']:.2f} of a CPU"


def markdown(doc):
    measured = {p for run in doc["runs"].values() for record in run.values() for p in record}
    peers = [p for p in registry.PEERS if p in measured]
    m, rounds = doc["machine"], doc["options"]["rounds"]
    versions = "".join(f"; {k} {v}" for k, v in doc["versions"].items())
    lines = [f"{m['cpu']}, {m['cpus']} CPUs, {doc['finished']}; medians of {rounds} rounds{versions}.\n"]
    lines += summary(doc)
    for threads in doc["runs"]:
        lines += [*times(doc, threads, peers), *memory(doc, threads, peers)]
    if notes := list(troubles(doc)):
        lines += ["\n## Left out, failed, disturbed\n", *notes]
    return "\n".join(lines) + "\n"
