/* The thread pool: every element exactly once, for any thread count; the caller's MXCSR; sharing; sleeping.
 * ctest-labels: threads */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <xmmintrin.h>

#include "runtime/pool.h"

enum { MOST = 5000 };

typedef struct loop {
    uint8_t seen[MOST];    /* plain: TSan sees two threads on one element */
    _Atomic int64_t total; /* elements */
    _Atomic int64_t small; /* chunks shorter than grain */
    _Atomic int chunks;
    int64_t grain;
} loop;

static void mark(void *const *args, int64_t begin, int64_t end)
{
    loop *l = args[0];

    for (int64_t i = begin; i < end; i++) {
        l->seen[i]++;
    }
    atomic_fetch_add(&l->total, end - begin);
    atomic_fetch_add(&l->chunks, 1);
    if (end - begin < l->grain) {
        atomic_fetch_add(&l->small, 1);
    }
}

static void check_loop(rt_pool *p, loop *l, int64_t n, int64_t grain)
{
    void *args[1] = {l};

    memset(l, 0, sizeof *l);
    l->grain = grain;
    rt_parallel(p, mark, args, n, grain);
    assert_int_equal(l->total, n);
    for (int64_t i = 0; i < n; i++) {
        assert_int_equal(l->seen[i], 1);
    }
    if (n >= grain) {
        assert_int_equal(l->small, 0);
    }
}

static void each_element_once(void **state)
{
    static const int64_t sizes[] = {0, 1, 2, 3, 7, 64, 1000, MOST}, grains[] = {1, 2, 3, 100, 2500, MOST * 2};
    static const int threads[] = {1, 2, 3, 8};
    static loop l;

    (void)state;
    for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
        rt_pool *p = rt_pool_new(threads[t]);

        assert_non_null(p);
        assert_int_equal(rt_pool_threads(p), threads[t]);
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            for (size_t j = 0; j < sizeof grains / sizeof *grains; j++) {
                check_loop(p, &l, sizes[i], grains[j]);
            }
        }
        rt_pool_free(p);
    }
    check_loop(NULL, &l, 100, 1);
    assert_int_equal(l.chunks, 1);
}

static void many_loops_and_naps(void **state)
{
    static loop l;
    rt_pool *p = rt_pool_new(3);
    struct timespec nap = {0, 1000000};

    (void)state;
    assert_non_null(p);
    for (int i = 0; i < 3000; i++) {
        check_loop(p, &l, 1 + i % 17, 1);
        if (i % 300 == 0) {
            nanosleep(&nap, NULL); /* workers fall asleep */
        }
    }
    rt_pool_free(p);
}

/* ---- two threads at once ----------------------------------------------------------------------------- */

typedef struct meeting {
    _Atomic int here;
    _Atomic int met;
} meeting;

/* Each of two chunks waits for the other one, but not for ever. */
static void meet(void *const *args, int64_t begin, int64_t end)
{
    meeting *m = args[0];
    time_t until = time(NULL) + 20;

    (void)begin;
    (void)end;
    atomic_fetch_add(&m->here, 1);
    while (atomic_load(&m->here) < 2 && time(NULL) < until) {
    }
    if (atomic_load(&m->here) == 2) {
        atomic_fetch_add(&m->met, 1);
    }
}

static void chunks_run_at_the_same_time(void **state)
{
    rt_pool *p = rt_pool_new(2);
    meeting m;
    void *args[1] = {&m};

    (void)state;
    assert_non_null(p);
    for (int i = 0; i < 20; i++) {
        memset(&m, 0, sizeof m);
        rt_parallel(p, meet, args, 2, 1);
        assert_int_equal(m.met, 2);
    }
    rt_pool_free(p);
}

/* ---- MXCSR ------------------------------------------------------------------------------------------- */

enum { FLUSH = 0x8040 }; /* flush to zero, denormals are zero */

static void record_mxcsr(void *const *args, int64_t begin, int64_t end)
{
    unsigned *mode = args[0];

    for (int64_t i = begin; i < end; i++) {
        mode[i] = _mm_getcsr() & FLUSH;
    }
    meet(args + 1, begin, end);
}

static void workers_take_the_callers_mxcsr(void **state)
{
    rt_pool *p = rt_pool_new(2);
    unsigned mode[2], old = _mm_getcsr();
    meeting m;
    void *args[2] = {mode, &m};

    (void)state;
    assert_non_null(p);
    for (int i = 0; i < 4; i++) {
        unsigned want = i % 2 ? FLUSH : 0;

        memset(&m, 0, sizeof m);
        _mm_setcsr((old & ~(unsigned)FLUSH) | want);
        rt_parallel(p, record_mxcsr, args, 2, 1);
        _mm_setcsr(old);
        assert_int_equal(m.met, 2);
        assert_int_equal(mode[0], want);
        assert_int_equal(mode[1], want);
    }
    rt_pool_free(p);
}

/* ---- sharing ----------------------------------------------------------------------------------------- */

typedef struct nested {
    rt_pool *pool;
    loop inner[4];
} nested;

static void start_inner(void *const *args, int64_t begin, int64_t end)
{
    nested *o = args[0];

    for (int64_t i = begin; i < end; i++) {
        void *inner[1] = {&o->inner[i]};

        rt_parallel(o->pool, mark, inner, 1000, 1);
    }
}

static void a_loop_within_a_chunk(void **state)
{
    static nested o;
    void *args[1] = {&o};

    (void)state;
    memset(&o, 0, sizeof o);
    o.pool = rt_pool_new(2);
    assert_non_null(o.pool);
    rt_parallel(o.pool, start_inner, args, 4, 1);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(o.inner[i].total, 1000);
        assert_int_equal(o.inner[i].seen[999], 1);
    }
    rt_pool_free(o.pool);
}

typedef struct user {
    pthread_t thread;
    rt_pool *pool;
    loop l;
    int bad;
} user;

static void *use_pool(void *arg)
{
    user *u = arg;
    void *args[1] = {&u->l};

    for (int i = 0; i < 500; i++) {
        memset(&u->l, 0, sizeof u->l);
        rt_parallel(u->pool, mark, args, 500, 1);
        for (int j = 0; j < 500; j++) {
            u->bad += u->l.seen[j] != 1;
        }
    }
    return NULL;
}

static void threads_share_a_pool(void **state)
{
    static user users[3];
    rt_pool *p = rt_pool_new(2);

    (void)state;
    assert_non_null(p);
    for (int i = 0; i < 3; i++) {
        users[i].pool = p;
        assert_int_equal(pthread_create(&users[i].thread, NULL, use_pool, &users[i]), 0);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(users[i].thread, NULL);
        assert_int_equal(users[i].bad, 0);
    }
    rt_pool_free(p);
}

static void bad_counts_are_refused(void **state)
{
    (void)state;
    assert_null(rt_pool_new(0));
    assert_null(rt_pool_new(-3));
    assert_null(rt_pool_new(1000000));
    assert_int_equal(rt_pool_threads(NULL), 1);
    rt_pool_free(NULL);
}

/* ---- jobs -------------------------------------------------------------------------------------------- */

static void count_job(void *arg, int i)
{
    ((int *)arg)[i]++;
}

static void each_job_once(void **state)
{
    int counts[40];

    (void)state;
    for (int threads = 0; threads < 5; threads++) {
        for (int n = 0; n <= 40; n += 8) {
            memset(counts, 0, sizeof counts);
            rt_jobs(count_job, counts, n, threads);
            for (int i = 0; i < 40; i++) {
                assert_int_equal(counts[i], i < n);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_element_once),           cmocka_unit_test(many_loops_and_naps),
        cmocka_unit_test(chunks_run_at_the_same_time), cmocka_unit_test(workers_take_the_callers_mxcsr),
        cmocka_unit_test(a_loop_within_a_chunk),       cmocka_unit_test(threads_share_a_pool),
        cmocka_unit_test(bad_counts_are_refused),      cmocka_unit_test(each_job_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
