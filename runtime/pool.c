/* runtime/pool.c: persistent threads that share the chunks of one loop.
 *
 *   job      an even number: nothing to do; odd: a loop is open.  Opening and closing each add one, so the
 *            word also tells a worker whether it has seen this loop, and is the futex it sleeps on
 *   inside   workers that are looking at the open loop: its fields may change only while this is 0
 *   lanes    one queue of chunks per thread.  A thread takes its own first (the same elements each time, so
 *            they are in its cache), then what others have left
 *
 * The caller works too, closes the loop when no chunk is left and waits for the workers inside.  A worker
 * that comes late finds the loop closed and has delayed nobody.  Workers spin for SPIN_NS after a loop, then
 * sleep; with fewer CPUs than threads they sleep at once, and so does for a while a worker that has lost its
 * CPU to somebody else.  Cost of a loop while they spin: below 1 us. */
#include "runtime/pool.h"
#include "runtime/races.h"

#include <linux/futex.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <xmmintrin.h>

#define SPIN_NS 50000
#define LOOK_NS 1000000     /* how often a worker looks whether it has lost its CPU */
#define CROWDED_NS 20000000 /* how long it does not spin when it has, twice within AGAIN_NS */
#define AGAIN_NS 50000000
#define CHUNKS_PER_THREAD 4
#define MAX_THREADS 1024

typedef struct lane {
    _Alignas(64) _Atomic int64_t next; /* chunk to take */
    int64_t end;
} lane;

struct rt_pool {
    int threads;     /* with the caller */
    rt_races *races; /* NULL: not checked */
    bool spin;
    pthread_t *workers;
    int started;
    lane *lanes;
    /* the open loop, which comes to a worker in one line of the cache with the number it waits for */
    _Alignas(64) _Atomic uint32_t job;
    unsigned mxcsr;
    rt_chunk_fn *fn;
    void *const *args;
    int64_t n, chunks;
    _Alignas(64) _Atomic int inside;
    _Alignas(64) _Atomic int sleepers;
    atomic_bool stop;
    atomic_flag busy;
    _Atomic int ids; /* numbers for workers that start */
};

static long futex(_Atomic uint32_t *word, int op, uint32_t value)
{
    return syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- work -------------------------------------------------------------------------------------------- */

static void take_chunks(rt_pool *p, int self)
{
    for (int i = 0; i < p->threads; i++) {
        lane *l = &p->lanes[(self + i) % p->threads];
        int64_t k;

        while (atomic_load_explicit(&l->next, memory_order_relaxed) < l->end &&
               (k = atomic_fetch_add_explicit(&l->next, 1, memory_order_relaxed)) < l->end) {
            p->fn(p->args, p->n * k / p->chunks, p->n * (k + 1) / p->chunks);
        }
    }
}

/* What a worker knows of who else wants its CPU. */
typedef struct crowd {
    long lost;          /* times that it was taken away so far */
    int64_t last;       /* when that was seen */
    int64_t look, over; /* when to look again; when to spin again */
} crowd;

/* Until when to spin. */
static int64_t spin_until(crowd *c)
{
    int64_t now = now_ns();

    if (now >= c->look) {
        struct rusage u = {0};
        getrusage(RUSAGE_THREAD, &u);
        if (u.ru_nivcsw != c->lost) {
            c->over = now < c->last + AGAIN_NS ? now + CROWDED_NS : c->over;
            c->last = now;
        }
        c->lost = u.ru_nivcsw;
        c->look = now + LOOK_NS;
    }
    return now >= c->over ? now + SPIN_NS : 0;
}

/* Whether there is something to do after loop `seen`: another one, or to stop. */
static bool is_called(const rt_pool *p, uint32_t job, uint32_t seen)
{
    return (job != seen && job % 2) || atomic_load(&p->stop);
}

/* Waits until there is something to do after loop `seen`.  Returns the job's number. */
static uint32_t await(rt_pool *p, crowd *c, uint32_t seen)
{
    int64_t until = p->spin ? spin_until(c) : 0;

    for (;;) {
        uint32_t job = atomic_load(&p->job);

        for (int i = 0; until && i < 16 && !is_called(p, job, seen); i++) {
            _mm_pause();
            job = atomic_load(&p->job);
        }
        if (is_called(p, job, seen)) {
            return job;
        }
        if (until && now_ns() < until) {
            continue;
        }
        /* The kernel compares `job` again: a loop opened since then does not find us asleep. */
        atomic_fetch_add(&p->sleepers, 1);
        if (!atomic_load(&p->stop)) {
            futex(&p->job, FUTEX_WAIT, job);
        }
        atomic_fetch_sub(&p->sleepers, 1);
    }
}

static void *work(void *arg)
{
    rt_pool *p = arg;
    int self = 1 + atomic_fetch_add(&p->ids, 1);
    uint32_t job = 0;
    crowd c = {0};

    for (;;) {
        job = await(p, &c, job);
        if (atomic_load(&p->stop)) {
            return NULL;
        }
        __builtin_prefetch(&p->lanes[self], 1);
        atomic_fetch_add(&p->inside, 1);
        job = atomic_load(&p->job);
        if (job % 2) { /* open, and stays so for as long as we are inside */
            if (_mm_getcsr() != p->mxcsr) {
                _mm_setcsr(p->mxcsr);
            }
            take_chunks(p, self);
        }
        atomic_fetch_sub(&p->inside, 1);
    }
}

static void open_loop(rt_pool *p, rt_chunk_fn *fn, void *const *args, int64_t n, int64_t chunks)
{
    p->fn = fn;
    p->args = args;
    p->n = n;
    p->chunks = chunks;
    p->mxcsr = _mm_getcsr();
    for (int i = 0; i < p->threads; i++) {
        atomic_store_explicit(&p->lanes[i].next, chunks * i / p->threads, memory_order_relaxed);
        p->lanes[i].end = chunks * (i + 1) / p->threads;
    }
    atomic_fetch_add(&p->job, 1);
    if (atomic_load(&p->sleepers)) {
        futex(&p->job, FUTEX_WAKE, (uint32_t)(chunks < p->threads ? chunks : p->threads) - 1);
    }
}

static void close_loop(rt_pool *p)
{
    atomic_fetch_add(&p->job, 1);
    for (int spins = 0; atomic_load(&p->inside); spins++) {
        if (spins < 1000) {
            _mm_pause();
        } else {
            sched_yield(); /* a worker in its last chunk may have lost its CPU */
        }
    }
}

void rt_parallel(rt_pool *p, rt_chunk_fn *fn, void *const *args, int64_t n, int64_t grain)
{
    int64_t chunks = p ? n / (grain > 0 ? grain : 1) : 1,
            most = p ? (int64_t)p->threads * CHUNKS_PER_THREAD : 1;

    if (n <= 0) {
        return;
    }
    if (p && p->races) {
        rt_races_loop(p->races, fn, args, n, grain);
        return;
    }
    chunks = chunks < most ? chunks : most;
    if (chunks < 2 || p->started == 0 || atomic_flag_test_and_set_explicit(&p->busy, memory_order_acquire)) {
        fn(args, 0, n);
        return;
    }
    open_loop(p, fn, args, n, chunks);
    take_chunks(p, 0);
    close_loop(p);
    atomic_flag_clear_explicit(&p->busy, memory_order_release);
}

/* ---- life -------------------------------------------------------------------------------------------- */

static int cpus(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set);
}

/* Signals are for the application's threads: workers start with all of them blocked. */
static int start(pthread_t *t, void *(*fn)(void *), void *arg)
{
    sigset_t all, old;
    int failed;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    failed = pthread_create(t, NULL, fn, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return failed;
}

rt_pool *rt_pool_new(int threads)
{
    rt_pool *p = threads < 1 || threads > MAX_THREADS ? NULL : aligned_alloc(64, sizeof *p);

    if (!p) {
        return NULL;
    }
    memset(p, 0, sizeof *p);
    atomic_flag_clear(&p->busy);
    p->threads = threads;
    p->spin = threads <= cpus();
    p->workers = calloc((size_t)threads, sizeof *p->workers);
    p->lanes = aligned_alloc(64, (size_t)threads * sizeof *p->lanes);
    if (!p->workers || !p->lanes) {
        rt_pool_free(p);
        return NULL;
    }
    memset(p->lanes, 0, (size_t)threads * sizeof *p->lanes);
    while (p->started < threads - 1) {
        if (start(&p->workers[p->started], work, p)) {
            rt_pool_free(p);
            return NULL;
        }
        p->started++;
    }
    return p;
}

void rt_pool_free(rt_pool *p)
{
    if (!p) {
        return;
    }
    atomic_store(&p->stop, true);
    atomic_fetch_add(&p->job, 2); /* whoever is about to sleep on the old number wakes */
    futex(&p->job, FUTEX_WAKE, INT_MAX);
    for (int i = 0; i < p->started; i++) {
        pthread_join(p->workers[i], NULL);
    }
    rt_races_free(p->races);
    free(p->workers);
    free(p->lanes);
    free(p);
}

bool rt_pool_check_races(rt_pool *p)
{
    if (!p->races) {
        p->races = rt_races_new();
    }
    return p->races != NULL;
}

rt_races *rt_pool_races(rt_pool *p)
{
    return p ? p->races : NULL;
}

int rt_pool_threads(const rt_pool *p)
{
    return p ? p->threads : 1;
}

/* ---- jobs -------------------------------------------------------------------------------------------- */

typedef struct jobs {
    void (*fn)(void *user, int i);
    void *user;
    int n;
    _Atomic int next;
} jobs;

static void *run_jobs(void *arg)
{
    jobs *j = arg;
    int i;

    while ((i = atomic_fetch_add(&j->next, 1)) < j->n) {
        j->fn(j->user, i);
    }
    return NULL;
}

/* Threads that can't be had are done without. */
void rt_jobs(void (*fn)(void *user, int i), void *user, int n, int threads)
{
    jobs j = {.fn = fn, .user = user, .n = n};
    pthread_t others[64];
    int count = 0, most = threads < n ? threads : n;

    while (count < most - 1 && count < 64 && !start(&others[count], run_jobs, &j)) {
        count++;
    }
    run_jobs(&j);
    while (count) {
        pthread_join(others[--count], NULL);
    }
}
