"""What every workload must compute: reference.json, written by torch in f64, and the check against it.

`python -m peers.reference [NAME...]`, in bench/, writes the records of these workloads (all) again.
"""
import json
import os
import sys

from . import gen, specs

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "reference.json")


def load(path=PATH):
    with open(path) as f:
        return json.load(f)


def error(prints, want):
    """The largest relative error of the fingerprints; inf where their number differs."""
    if len(prints) != len(want):
        return float("inf")
    return max(gen.mismatch(g, w) for g, w in zip(prints, want))


def outputs(job, spec, first):
    """The arrays that are compared, `first` being the first call's result. A training step's are the losses
    of three steps, then the first parameter. A loss is read at once: some peers reuse its memory."""
    import numpy as np
    if spec.kind != "train":
        return job.numpy(first)
    losses = []
    for i in range(3):
        r = job.call() if i else first
        losses.append(float(np.asarray(job.numpy(r)[0]).reshape(-1)[0]))
    return [np.array(losses)] + job.numpy(job.state())


def record(name):
    """Fingerprints, and the multiply-adds (each two operations) of a workload that they bound."""
    import contextlib
    from torch.utils.flop_counter import FlopCounterMode
    from .adaptors import torch_peer
    spec = specs.SPECS[name]
    job = torch_peer.Job(name, "torch", 0, double=True)
    counter = FlopCounterMode(display=False)
    with counter if spec.products else contextlib.nullcontext():
        first = job.call()
    prints = [gen.fingerprint(x) for x in outputs(job, spec, first)]
    return {"flops": counter.get_total_flops() if spec.products else 0, "prints": prints}


def main(names):
    known = load() if os.path.exists(PATH) else {}
    for name in names or specs.SPECS:
        known[name] = record(name)
    with open(PATH, "w") as f:
        f.write("{\n" + ",\n".join(f"{json.dumps(n)}: {json.dumps(known[n])}" for n in specs.SPECS) + "\n}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
