"""minimax.py: the coefficients and tables of ir/scalar_f32.def and ir/scalar_f64.def.

Lawson's iteration for a weighted linear basis: finds c with min over c of max |w(x) (f(x) - sum c_i x^i)|.
Coefficients are rounded to the target precision, the first few one by one with a refit of the rest.
Needs mpmath.

    python3 scripts/minimax.py            print every fit with its error (log2)
    python3 scripts/minimax.py tables     print the tables of scalar_f64.def
"""
import sys
import mpmath as mp
from mpmath import mpf

mp.mp.prec = 500


def rounded(x, bits):
    """x to `bits` significant bits, half to even."""
    if x == 0:
        return mpf(0)
    m, e = mp.frexp(x)
    return mp.ldexp(mp.nint(m * 2**bits), e - bits)


def fit(f, w, powers, lo, hi, grid=300, rounds=40):
    """Lawson: coefficients of x^p, p in powers; least squares reweighted by the error until it is level."""
    n = len(powers)
    lo, hi = mpf(lo), mpf(hi)
    xs = [(lo + hi) / 2 + (hi - lo) / 2 * mp.cos(mp.pi * (i + mpf(1) / 2) / grid) for i in range(grid)]
    ws = [w(x) for x in xs]
    rows = [[v * x**p for p in powers] for x, v in zip(xs, ws)]
    rhs = [v * f(x) for x, v in zip(xs, ws)]
    lawson = [mpf(1)] * grid
    best, best_err = None, mp.inf
    for _ in range(rounds):
        a, b = mp.matrix(n, n), mp.matrix(n, 1)
        for r, y, l in zip(rows, rhs, lawson):
            for i in range(n):
                b[i] += l * r[i] * y
                for j in range(i, n):
                    a[i, j] += l * r[i] * r[j]
        for i in range(n):
            for j in range(i):
                a[i, j] = a[j, i]
        sol = mp.lu_solve(a, b)
        err = [abs(y - sum(s * t for s, t in zip(sol, r))) for r, y in zip(rows, rhs)]
        if max(err) < best_err:
            best, best_err = [sol[i] for i in range(n)], max(err)
        lawson = [l * e for l, e in zip(lawson, err)]
        total = sum(lawson)
        lawson = [l / total for l in lawson]
    return best, best_err


def fit_rounded(name, f, w, degree, lo, hi, bits, fixed=0, grid=300):
    """Fits and prints; `fixed` leading coefficients are refitted after each rounding."""
    done = []
    for k in range(degree + 1):
        g = lambda x: f(x) - sum(c * x**i for i, c in enumerate(done))
        cs, _ = fit(g, w, list(range(k, degree + 1)), lo, hi, grid)
        done.append(rounded(cs[0], bits))
        if k >= fixed:
            done += [rounded(c, bits) for c in cs[1:]]
            break
    worst = max(abs(w(x) * (f(x) - sum(c * x**i for i, c in enumerate(done))))
                for x in [mpf(lo) + (mpf(hi) - mpf(lo)) * (i + mpf(1) / 3) / 2000 for i in range(2000)])
    print(f"{name}: degree {degree}, error 2^{float(mp.log(worst, 2)):.1f}")
    print("   ", ", ".join(hexf(c, bits) for c in done))
    return done


def hexf(x, bits=53):
    return float(x).hex().replace("0000000p", "p") if x else "0.0"


L2 = mp.log(2) / 2 * mpf("1.0001")
EXPQ = lambda r: (mp.expm1(r) - r) / r**2 if r else mpf(1) / 2
LOGP = lambda f: (mp.log1p(f) - f + f * f / 2) / f**3 if f else mpf(1) / 3
RELEXP = lambda r: abs(r * r / mp.expm1(r)) if r else mpf(0)
RELLOG = lambda f: f**3 / mp.log1p(f) if f else mpf(0)


def f32_fits():
    fit_rounded("exp f32 Q", EXPQ, RELEXP, 4, -L2, L2, 24)
    fit_rounded("log f32 P", LOGP, RELLOG, 8, mp.sqrt(.5) - 1, mp.sqrt(2) - 1, 24)
    s = lambda t: (mp.erf(mp.sqrt(t)) / mp.sqrt(t) - 1) if t else 2 / mp.sqrt(mp.pi) - 1
    rel = lambda t: mp.sqrt(t) / mp.erf(mp.sqrt(t)) if t else mpf(1)
    fit_rounded("erf f32 small", s, rel, 5, 0, mpf("0.875")**2, 24, 3)
    fit_rounded("erf f32 -log2 erfc", lambda x: -mp.log(mp.erfc(x), 2), mp.erfc, 7, 0.875, 3.925, 24)
    fit_rounded("exp2 f32", lambda r: mpf(2)**r, lambda r: mpf(2)**-r, 5, -0.5, 0.5, 24)


def sin24_fits():
    q = mp.pi / 2
    S = lambda t: mp.sin(q * mp.sqrt(t)) / mp.sqrt(t) if t else q
    fit_rounded("sin24", S, lambda t: 1 / S(t), 5, 0, .2501, 53)
    C = lambda t: mp.cos(q * mp.sqrt(t))
    fit_rounded("cos24", C, lambda t: 1 / C(t), 5, 0, .2501, 53)


def f64_fits():
    fit_rounded("exp f64 Q", EXPQ, RELEXP, 11, -L2, L2, 53)
    smax = (mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)
    R = lambda t: (2 * mp.atanh(mp.sqrt(t)) / mp.sqrt(t) - 2) / t if t else mpf(2) / 3
    fit_rounded("log f64 R", R, lambda t: t / 2, 7, 0, smax**2, 53, 2)
    q = (mp.pi / 4)**2 * mpf("1.001")
    S = lambda t: (mp.sin(mp.sqrt(t)) / mp.sqrt(t) - 1) / t if t else -mpf(1) / 6
    fit_rounded("sin f64 S", S, lambda t: t, 5, 0, q, 53, 2)
    C = lambda t: (mp.cos(mp.sqrt(t)) - 1 + t / 2) / t**2 if t else mpf(1) / 24
    fit_rounded("cos f64 C", C, lambda t: t * t, 5, 0, q, 53, 2)
    fit_rounded("pow log P", LOGP, lambda f: f * f, 6, -mpf(1) / 128, mpf(1) / 128, 53)


def odd(g, third):
    """(g(x) / x - 1) / x^2 over t = x^2 for an odd g with g'(0) = 1, whose value at 0 is `third`."""
    return lambda t: (g(mp.sqrt(t)) / mp.sqrt(t) - 1) / t if t else mpf(third)


ACOSH = lambda t: (mp.acosh(1 + t) / mp.sqrt(2 * t) - 1) / t if t else -mpf(1) / 12


def inverse_fits():
    """Degrees and ends for f32, then f64: asin, asinh, acosh, atanh, sinh; atan over its reduced range."""
    quarter, half = mpf("0.2501"), mpf("0.501")
    rows = (("asin", odd(mp.asin, 1 / mpf(6)), quarter, (5, 12)),
            ("asinh", odd(mp.asinh, -1 / mpf(6)), quarter, (5, 11)),
            ("acosh", ACOSH, half, (5, 12)),
            ("atanh", odd(mp.atanh, 1 / mpf(3)), quarter, (6, 13)),
            ("sinh", odd(mp.sinh, 1 / mpf(6)), mpf(1), (3, 7)))
    for bits, which in ((24, 0), (53, 1)):
        for name, f, end, degrees in rows:
            fit_rounded(f"{name} f{32 + 32 * which}", f, lambda t: t, degrees[which], 0, end, bits, 2, 120)
    fit_rounded("atan f32", odd(mp.atan, -1 / mpf(3)), lambda t: t, 9, 0, mpf(1), 24, 2, 120)
    fit_rounded("atan f64", odd(mp.atan, -1 / mpf(3)), lambda t: t, 4, 0, mpf("0.00098"), 53, 2, 120)


def constants():
    for name, v, bits in (("ln2", mp.log(2), 24), ("ln2", mp.log(2), 53)):
        for short in ((bits, bits - 8, bits - 9) if bits == 24 else (bits, bits - 12, bits - 20)):
            hi = rounded(v, short)
            print(name, short, "bits", hexf(hi), hexf(rounded(v - hi, bits)))
    print("log2e", hexf(rounded(1 / mp.log(2), 24)), hexf(1 / mp.log(2)))
    hi = rounded(mp.pi / 2, 53)
    print("pi/2", hexf(hi), hexf(rounded(mp.pi / 2 - hi, 53)))


def table(name, count, rows):
    print(f"TABLE({name}, {count}) = {{")
    for i in range(0, len(rows), 4):
        print("    " + ", ".join(hexf(r) for r in rows[i:i + 4]) + ",")
    print("};")


def two_over_pi(rows, cuts):
    """Row j: 2^(16 j) 2/pi modulo 4, in [-2, 2], as parts of the given numbers of bits."""
    mp.mp.prec = 1500
    cols = [[] for _ in cuts]
    for j in range(rows):
        t = mp.ldexp(2 / mp.pi, 16 * j)
        t -= 4 * mp.nint(t / 4) if j else 0
        for col, bits in zip(cols, cuts):
            part = rounded(t, bits)
            col.append(part)
            t -= part
    mp.mp.prec = 500
    return cols


def tables():
    for i, col in enumerate(two_over_pi(61, (53, 53, 53, 53))):
        table(f"two_over_pi_{i}", 61, col)
    for i, col in enumerate(two_over_pi(7, (29, 29, 53))):
        table(f"two_over_pi24_{i}", 7, col)
    grid = [mpf(i) / 32 for i in range(193)]
    table("erf_at", 193, [mp.erf(x) for x in grid])
    table("erf_slope", 193, [2 / mp.sqrt(mp.pi) * mp.exp(-x * x) for x in grid])
    turns = [mp.atan(mpf(i) / 16) for i in range(17)]
    table("atan_high", 17, turns)
    table("atan_low", 17, [a - rounded(a, 53) for a in turns])
    inv, hi, lo = log_table()
    table("log_inverse", 128, inv)
    table("log_high", 128, hi)
    table("log_low", 128, lo)


def log_table():
    """For each of 128 intervals of [sqrt(1/2), sqrt(2)): 1/c to 8 bits, and log c split at 2^-42."""
    inv, hi, lo = [], [], []
    for i in range(128):
        a, b = interval(i)
        c = rounded(2 / (a + b), 8) if not (a <= 1 <= b) else mpf(1)
        worst = max(abs(a * c - 1), abs(b * c - 1))
        assert worst <= mpf(1) / 128, (i, worst)
        l = -mp.log(c)
        h = mp.nint(l * 2**42) / 2**42
        inv.append(c)
        hi.append(h)
        lo.append(l - h)
    return inv, hi, lo


def interval(i):
    """Bounds of z for index i: bits(z) - bits(0x1.6ap-1) has i in the 7 bits below the exponent."""
    import struct
    off = 0x3FE6A00000000000
    val = lambda b: mpf(struct.unpack("<d", struct.pack("<q", b))[0])
    return val(off + (i << 45)), val(off + ((i + 1) << 45))


if __name__ == "__main__":
    if sys.argv[1:] == ["tables"]:
        tables()
    else:
        for part in (constants, f32_fits, sin24_fits, f64_fits, inverse_fits):
            if not sys.argv[1:] or part.__name__ in sys.argv[1:]:
                part()
