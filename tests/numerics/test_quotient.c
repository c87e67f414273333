/* tests/numerics/test_quotient.c: a quotient made of products is the rounded one (codegen/division.c).
 *
 * With y the rounded 1 / b and q = a y, q + y (a - b q) is off by less than 1.5 * 2^-23 units of a / b's last
 * place before it is rounded.  So it can only be wrong where a / b lies nearer than that to the middle of two
 * numbers.  For significands A and B, integers of 24 bits, that is
 *
 *   A 2^s = M B + d,   M odd,   |d| <= 6,   s = 24 (A >= B) or 25
 *
 * and such A are found by solving for them modulo B.  Twice as many d are tried, for every STEP-th B. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { LEAST = 1 << 23, MOST = 1 << 24, MOST_D = 12, STEP = 7 };

static float mended(float a, float b)
{
    float y = 1 / b, q = a * y;

    return fmaf(fmaf(-q, b, a), y, q);
}

/* 1 / a modulo m, for coprime a and m > 1. */
static int64_t inverse(int64_t a, int64_t m)
{
    int64_t t = 0, next = 1, r = m, rest = a % m;

    while (rest) {
        int64_t q = r / rest, keep = next;
        next = t - q * next;
        t = keep;
        keep = rest;
        rest = r - q * rest;
        r = keep;
    }
    return t < 0 ? t + m : t;
}

/* All A for B, s and d; returns how many. */
static int64_t try_near(int64_t b, int s, int64_t d)
{
    int twos = __builtin_ctzll((uint64_t)b);
    int64_t odd = b >> twos, count = 0;

    if (d % (1 << twos) || odd == 1)
        return 0;
    int64_t part = (d / (1 << twos) % odd + odd) % odd;
    int64_t first = part * inverse((1ll << (s - twos)) % odd, odd) % odd;
    for (int64_t a = first; a < MOST; a += odd) {
        if (a < LEAST || (s == 24) != (a >= b) || ((a << s) - d) % b || ((a << s) - d) / b % 2 == 0)
            continue;
        if (mended((float)a, (float)b) != (float)a / (float)b)
            fail_msg("%lld / %lld", (long long)a, (long long)b);
        count++;
    }
    return count;
}

static void near_midpoints(void **state)
{
    int64_t count = 0;

    (void)state;
    for (int64_t b = LEAST; b < MOST; b += STEP)
        for (int s = 24; s <= 25; s++)
            for (int d = -MOST_D; d <= MOST_D; d++)
                count += d ? try_near(b, s, d) : 0;
    assert_true(count > 1000000);
}

static void any_significands(void **state)
{
    uint64_t x = 88172645463325252u;

    (void)state;
    for (int i = 0; i < 10000000; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        float a = (float)(LEAST | (x & (LEAST - 1))), b = (float)(LEAST | (x >> 32 & (LEAST - 1)));
        if (mended(a, b) != a / b)
            fail_msg("%a / %a", (double)a, (double)b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(near_midpoints),
        cmocka_unit_test(any_significands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
