/* tests/engines/test_repeat.c: a train step gives the same bits 200 times over on two threads, while other
 * threads take the CPUs away, and again with its chunks checked for races.
 *
 * What differs from run to run is which thread takes which chunk, and when.  The step has products, rows,
 * sums along rows and columns, an embedding (whose gradient is a scatter) and dropout, large enough to be
 * split. */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/frontend/lib_frontend.h"

enum { TIMES = 200, ROWS = 192, WIDTH = 96, WORDS = 50, MOST_OTHERS = 256 };

typedef struct model {
    tdm_tensor *table, *w, *gain, *words, *classes;
} model;

static model make(tdm_context *ctx)
{
    tdm_tensor *at[2];
    int64_t ids[ROWS];

    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < ROWS; i++)
            ids[i] = (i * 31 + i * i * 7 + k) % (k ? WIDTH : WORDS);
        at[k] = tdm_from_data(ctx, TDM_I64, tdm_shape(ROWS), ids);
    }
    return (model){.table = tdm_parameter(numbers(ctx, tdm_shape(WORDS, WIDTH), 1), "table"),
                   .w = tdm_parameter(tdm_mul_scalar(numbers(ctx, tdm_shape(WIDTH, WIDTH), 2), 0.1), "w"),
                   .gain = tdm_parameter(numbers(ctx, tdm_shape(WIDTH), 3), "gain"),
                   .words = at[0],
                   .classes = at[1]};
}

static tdm_tensor *loss_of(const model *m)
{
    tdm_tensor *x = tdm_index_select(m->table, m->words, 0);
    tdm_tensor *h = tdm_layer_norm(tdm_gelu(tdm_linear(x, m->w, NULL)), m->gain, NULL, 1e-5);

    return tdm_cross_entropy(tdm_linear(tdm_dropout(tdm_add(h, x), 0.1), m->w, m->gain), m->classes);
}

enum { RESULTS = 4 };

/* loss and the gradients of table, w and gain */
static void results_of(const model *m, tdm_tensor **r)
{
    tdm_tensor *params[3] = {m->table, m->w, m->gain};

    r[0] = loss_of(m);
    tdm_gradients(r, NULL, 1, params, 3, r + 1, false);
}

static const char *const names[RESULTS] = {"loss", "table", "w", "gain"};
static const size_t sizes[RESULTS] = {1, (size_t)WORDS *WIDTH, (size_t)WIDTH *WIDTH, WIDTH};
static float expected[RESULTS][WIDTH * WIDTH], got[WIDTH * WIDTH];

static void expect_eager(void)
{
    tdm_context *ctx = open_context();
    tdm_tensor *r[RESULTS];
    model m = make(ctx);

    tdm_seed(ctx, 9);
    results_of(&m, r);
    for (int i = 0; i < RESULTS; i++)
        assert_int_equal(tdm_read(r[i], expected[i], sizes[i] * sizeof(float)), TDM_OK);
    tdm_context_free(ctx);
}

static void repeat(const tdm_options *o, int times)
{
    tdm_context *ctx = tdm_context_new(o);
    tdm_tensor *r[RESULTS];

    assert_non_null(ctx);
    model m = make(ctx);
    tdm_graph *g = tdm_graph_open(ctx, "step");
    results_of(&m, r);
    for (int i = 0; i < RESULTS; i++)
        tdm_output(ctx, names[i], r[i]);
    tdm_graph_close(ctx);
    tdm_program *p = tdm_compile(g, NULL);
    tdm_exec *x = p ? tdm_exec_new(p) : NULL;
    for (int t = 0; x && t < times; t++) {
        tdm_seed(ctx, 9);
        assert_int_equal(tdm_exec_run(x), TDM_OK);
        for (int i = 0; i < RESULTS; i++) {
            tdm_read(tdm_exec_output(x, names[i]), got, sizes[i] * sizeof(float));
            if (memcmp(got, expected[i], sizes[i] * sizeof(float)) != 0)
                fail_msg("run %d: other bits of %s", t, names[i]);
        }
    }
    assert_string_equal(tdm_error(ctx), "");
    tdm_exec_free(x);
    tdm_program_free(p);
    tdm_graph_free(g);
    tdm_context_free(ctx);
}

/* ---- load ---- */

static atomic_bool over;

/* One more than there are CPUs, so that wherever the step's threads run they are sometimes put aside. */
static int count_others(void)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    return cpus < 1 ? 2 : cpus < MOST_OTHERS ? (int)cpus + 1 : MOST_OTHERS;
}

/* Takes a CPU for a while, then none for a while. */
static void *take_cpu(void *arg)
{
    volatile unsigned sink = (unsigned)(uintptr_t)arg;
    struct timespec nap = {0, 300000};

    while (!atomic_load(&over)) {
        for (int i = 0; i < 200000; i++)
            sink = sink * 1664525u + 1013904223u;
        nanosleep(&nap, NULL);
    }
    return NULL;
}

static void the_same_bits_under_load(void **state)
{
    pthread_t others[MOST_OTHERS];
    int count = count_others();

    (void)state;
    expect_eager();
    atomic_store(&over, false);
    for (int i = 0; i < count; i++)
        assert_int_equal(pthread_create(&others[i], NULL, take_cpu, (void *)(uintptr_t)i), 0);
    repeat(&(tdm_options){.threads = 2}, TIMES);
    atomic_store(&over, true);
    for (int i = 0; i < count; i++)
        pthread_join(others[i], NULL);
}

static void chunks_share_nothing(void **state)
{
    (void)state;
    expect_eager();
    repeat(&(tdm_options){.threads = 2, .check_races = true}, 2);
    repeat(&(tdm_options){.threads = 1, .check_races = true, .width = 4}, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_bits_under_load),
        cmocka_unit_test(chunks_share_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
