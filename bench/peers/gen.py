"""The one source of numbers of every workload, as in bench/gen.c, and the fingerprint to compare outputs by.

    s = seed * 2654435761 mod 2^32; each draw: s = s * 1664525 + 1013904223; u = (s >> 8) / 2^23 - 1

numpy is imported where arrays are made: what only compares records needs none.
"""
import math

FACTOR, STEP, MASK = 1664525, 1013904223, 0xFFFFFFFF


def states(n, seed):
    """The first n states after the start, by doubling: s[i + k] = FACTOR^k s[i] + STEP_k."""
    import numpy as np
    s = np.empty(max(n, 1), np.uint32)
    s[0] = ((seed * 2654435761 & MASK) * FACTOR + STEP) & MASK
    have, factor, step = 1, FACTOR, STEP
    while have < n:
        take = min(have, n - have)
        s[have:have + take] = s[:take] * np.uint32(factor) + np.uint32(step)
        step = (factor * step + step) & MASK
        factor = factor * factor & MASK
        have += take
    return s[:n]


def uniform(shape, seed, scale=1.0, shift=0.0):
    """u * scale + shift in f32, row-major."""
    import numpy as np
    v = (states(math.prod(shape), seed) >> np.uint32(8)).astype(np.float32)
    v = v / np.float32(1 << 23) - np.float32(1)
    if scale != 1.0:
        v *= np.float32(scale)
    if shift != 0.0:
        v += np.float32(shift)
    return v.reshape(shape)


def integers(shape, seed, below):
    import numpy as np
    k = (states(math.prod(shape), seed) >> np.uint32(8)) % np.uint32(below)
    return k.astype(np.int64).reshape(shape)


def weight(name, shape, place):
    """A network's parameter number `place` (from 1): matrix u sqrt(3 / fan_in), vector named *weight
    1 + 0.1 u, other vectors 0.1 u."""
    if len(shape) > 1:
        return uniform(shape, place, (3.0 / math.prod(shape[1:])) ** 0.5)
    return uniform(shape, place, 0.1, 1.0 if name.endswith("weight") else 0.0)


def fingerprint(array, samples=64):
    """Sums, a random projection and evenly spaced samples of one output."""
    import numpy as np
    array = np.asarray(array)
    flat = array.astype(np.float64).ravel()
    n, r = flat.size, uniform((flat.size,), 999).astype(np.float64)
    count = min(n, samples)
    return {"shape": list(array.shape), "sum": float(flat.sum()), "sum_abs": float(np.abs(flat).sum()),
            "l2": float(np.sqrt((flat * flat).sum())), "dot": float((flat * r).sum()),
            "samples": [float(flat[i * n // count]) for i in range(count)]}


def mismatch(got, want):
    """Largest relative error between two fingerprints; inf where shapes differ or a NaN appears."""
    n = math.prod(want["shape"])
    if math.prod(got["shape"]) != n or len(got["samples"]) != len(want["samples"]):
        return math.inf
    l2 = want["l2"] + 1e-30
    rms = l2 / max(1, n) ** 0.5
    errors = [abs(got["sum"] - want["sum"]) / (want["sum_abs"] + 1e-30), abs(got["dot"] - want["dot"]) / l2]
    errors += [abs(g - w) / max(rms, abs(w)) for g, w in zip(got["samples"], want["samples"])]
    return max(errors) if all(e == e for e in errors) else math.inf
