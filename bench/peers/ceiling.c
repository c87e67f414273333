/* bench/peers/ceiling.c: what this machine can do at most: f32 multiply-adds, copying past the cache,
 * reading.
 *
 *   cc -O3 -march=native -pthread ceiling.c -o ceiling && ./ceiling THREADS        prints JSON
 *
 * GFLOP/s, and GB/s of arrays of 64 MiB; a copy's bytes are those read and those written. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined __AVX512F__
enum { WIDTH = 64 };
#define STREAM "vmovntps %1, %0"
#elif defined __AVX__
enum { WIDTH = 32 };
#define STREAM "vmovntps %1, %0"
#elif defined __SSE__
enum { WIDTH = 16 };
#define STREAM "movntps %1, %0"
#else
enum { WIDTH = 16 };
#endif
typedef float lanes __attribute__((vector_size(WIDTH)));

/* 12 accumulators: more than latency times ports of any core so far, and they fit 16 registers. */
enum { LANES = WIDTH / sizeof(float), ACCUMULATORS = 12, MOST_THREADS = 64 };
static const long ROUNDS = 1000000;
static const size_t BYTES = (size_t)64 << 20;

typedef struct job {
    void (*work)(struct job *);
    lanes *from, *to;
    size_t n;
    float sink;
    double start, end;
} job;

static pthread_barrier_t together;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void keep(job *j, lanes x)
{
    for (int l = 0; l < LANES; l++)
        j->sink += x[l];
}

static void multiply_add(job *j)
{
    lanes acc[ACCUMULATORS], x = {0}, y = {0};
    x += 0.999f;
    y += 0.001f;
    for (int k = 0; k < ACCUMULATORS; k++)
        acc[k] = y * (float)k;
    for (long i = 0; i < ROUNDS; i++) {
        for (int k = 0; k < ACCUMULATORS; k++)
            acc[k] = acc[k] * x + y;
        __asm__ volatile("" : "+x"(x));
    }
    for (int k = 0; k < ACCUMULATORS; k++)
        keep(j, acc[k]);
}

static void copy_past_cache(job *j)
{
#ifdef STREAM
    for (size_t i = 0; i < j->n; i++)
        __asm__ volatile(STREAM : "=m"(j->to[i]) : "x"(j->from[i]));
    __asm__ volatile("sfence" ::: "memory");
#else
    memcpy(j->to, j->from, j->n * sizeof(lanes));
#endif
}

static void read_all(job *j)
{
    lanes sum[8] = {{0}};
    for (size_t i = 0; i + 8 <= j->n; i += 8)
        for (size_t k = 0; k < 8; k++)
            sum[k] += j->from[i + k];
    for (int k = 0; k < 8; k++)
        keep(j, sum[k]);
}

static void *entry(void *p)
{
    job *j = p;
    pthread_barrier_wait(&together);
    j->start = now();
    j->work(j);
    j->end = now();
    return NULL;
}

/* Seconds from the first thread's start to the last one's end, the least of some repeats. */
static double best(void (*work)(job *), int threads, lanes *from, lanes *to, int repeats)
{
    double least = 1e30;
    for (int r = 0; r < repeats; r++) {
        pthread_t id[MOST_THREADS];
        job jobs[MOST_THREADS];
        size_t n = BYTES / sizeof(lanes) / (size_t)threads;
        pthread_barrier_init(&together, NULL, (unsigned)threads);
        for (int i = 0; i < threads; i++) {
            jobs[i] = (job){.work = work, .from = from + n * (size_t)i, .to = to + n * (size_t)i, .n = n};
            if (i && pthread_create(&id[i], NULL, entry, &jobs[i]))
                exit(1);
        }
        entry(&jobs[0]);
        double start = jobs[0].start, end = jobs[0].end;
        for (int i = 1; i < threads; i++) {
            pthread_join(id[i], NULL);
            start = jobs[i].start < start ? jobs[i].start : start;
            end = jobs[i].end > end ? jobs[i].end : end;
        }
        pthread_barrier_destroy(&together);
        least = end - start < least ? end - start : least;
    }
    return least;
}

int main(int argc, char **argv)
{
    int threads = argc > 1 ? atoi(argv[1]) : 1;
    lanes *from = aligned_alloc(4096, BYTES), *to = aligned_alloc(4096, BYTES);
    if (threads < 1 || threads > MOST_THREADS || !from || !to) {
        free(from);
        free(to);
        return 1;
    }
    memset(from, 1, BYTES);
    memset(to, 1, BYTES);
    double flops = 2.0 * ACCUMULATORS * LANES * (double)ROUNDS * threads;
    double bytes = (double)BYTES;
    printf("{\"fma_gflops\": %.1f, ", flops / best(multiply_add, threads, from, to, 50) * 1e-9);
    printf("\"copy_nt_64M\": %.2f, ", 2 * bytes / best(copy_past_cache, threads, from, to, 24) * 1e-9);
    printf("\"read_64M\": %.2f}\n", bytes / best(read_all, threads, from, to, 24) * 1e-9);
    free(from);
    free(to);
    return 0;
}
