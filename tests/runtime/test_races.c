/* tests/runtime/test_races.c: the checker of runtime/races.h finds what two chunks share, and nothing else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/races.h"

enum { N = 10000 };

static float from[N + 1], to[N + 1];

/* What compiled code does: an access, and the call that tells of it. */
static void put(float *p, float v)
{
    *p = v;
    rt_races_wrote(p, sizeof *p);
}

static float get(const float *p)
{
    rt_races_read(p, sizeof *p);
    return *p;
}

static void apart(void *const *args, int64_t begin, int64_t end)
{
    float own[4]; /* every chunk's, at one place of the stack */

    (void)args;
    for (int64_t i = begin; i < end; i++) {
        put(&own[i % 4], get(&from[i]) + get(&from[0]));
        put(&to[i], get(&own[i % 4]));
    }
}

static void one_too_many(void *const *args, int64_t begin, int64_t end)
{
    (void)args;
    for (int64_t i = begin; i <= end; i++)
        put(&to[i], get(&from[i]));
}

static void shifted_in_place(void *const *args, int64_t begin, int64_t end)
{
    (void)args;
    for (int64_t i = begin; i < end; i++)
        put(&to[i], get(&to[i + 1]));
}

static void running_in_place(void *const *args, int64_t begin, int64_t end)
{
    (void)args;
    for (int64_t i = begin; i < end; i++)
        put(&to[i + 1], get(&to[i]));
}

/* Chunks 0 and 1 read it before chunk 1 writes it. */
static void read_by_two(void *const *args, int64_t begin, int64_t end)
{
    (void)args;
    (void)end;
    get(&to[7]);
    if (begin > 0)
        put(&to[7], 1);
}

static bool run(rt_races *r, rt_chunk_fn *fn, int64_t n, int64_t grain, rt_race *race)
{
    bool lost;

    rt_races_loop(r, fn, NULL, n, grain);
    bool found = rt_races_take(r, race, &lost);
    assert_false(lost);
    return found;
}

static void chunks_apart_are_no_race(void **state)
{
    rt_races *r = rt_races_new();
    rt_race race;

    (void)state;
    assert_non_null(r);
    for (int64_t grain = 1; grain <= N; grain *= 10)
        assert_false(run(r, apart, N, grain, &race)); /* and the loop before wrote the same bytes */
    assert_false(run(r, one_too_many, N, N, &race));  /* one chunk: alone */
    assert_float_equal(to[N], from[N], 0);
    rt_races_free(r);
}

static void overlaps_are_found(void **state)
{
    rt_races *r = rt_races_new();
    rt_race race;

    (void)state;
    assert_non_null(r);
    assert_true(run(r, one_too_many, N, 100, &race));
    assert_true(race.fn == one_too_many);
    assert_int_equal(race.chunks, 100);
    assert_int_equal(race.other, 0);
    assert_int_equal(race.chunk, 1);
    assert_true(race.wrote && race.other_wrote);
    assert_ptr_equal(race.at, &to[100]);

    assert_true(run(r, shifted_in_place, N, 1000, &race));
    assert_true(race.wrote && !race.other_wrote);
    assert_ptr_equal(race.at, &to[1000]);

    assert_true(run(r, running_in_place, N, 1000, &race));
    assert_true(!race.wrote && race.other_wrote);
    assert_ptr_equal(race.at, &to[1000]);

    assert_true(run(r, read_by_two, 2, 1, &race));
    assert_int_equal(race.other, 0);
    assert_true(race.wrote && !race.other_wrote);
    assert_false(run(r, apart, N, 100, &race)); /* what was taken is gone */
    rt_races_free(r);
}

static void a_pool_checks_its_loops(void **state)
{
    rt_pool *p = rt_pool_new(2);
    rt_race race;
    bool lost;

    (void)state;
    assert_non_null(p);
    assert_null(rt_pool_races(p));
    assert_true(rt_pool_check_races(p));
    memset(to, 0, sizeof to);
    rt_parallel(p, one_too_many, NULL, N, 512);
    assert_true(rt_races_take(rt_pool_races(p), &race, &lost));
    assert_int_equal(race.chunks, N / 512);
    rt_parallel(p, apart, NULL, N, 512);
    assert_false(rt_races_take(rt_pool_races(p), &race, &lost));
    rt_races_wrote(to, sizeof to); /* out of a loop: nobody asks */
    rt_pool_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_apart_are_no_race),
        cmocka_unit_test(overlaps_are_found),
        cmocka_unit_test(a_pool_checks_its_loops),
    };

    for (int i = 0; i <= N; i++)
        from[i] = (float)i;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
