/* tests/passes/test_plan_memory.c: the n-th allocation fails, for every n, while a graph is fused and
 * planned.
 *
 * Each run ends with "out of memory" or with the same kernels as ever, and leaks nothing.  The four functions
 * below replace those of ir/alloc.c at link time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ir/arena.h"
#include "ir/compose.h"
#include "ir/emit.h"
#include "passes/all.h"
#include "tests/passes/lib_random.h"

static long countdown = -1; /* allocations until one fails; negative: none does */

static bool fails(void)
{
    return countdown >= 0 && countdown-- == 0;
}

void *ir_mem_alloc(size_t bytes)
{
    return fails() ? NULL : malloc(bytes);
}

void *ir_mem_zero(size_t bytes)
{
    return fails() ? NULL : calloc(1, bytes);
}

void *ir_mem_resize(void *p, size_t bytes)
{
    return fails() ? NULL : realloc(p, bytes);
}

void ir_mem_free(void *p)
{
    free(p);
}

static size_t budget;

static ir_status run(pass_fn *pass, const ir_graph *g, ir_graph *out, ir_ref *map)
{
    ir_error e = {0};
    pass_context pc = {.err = &e, .memory_budget = budget};

    return pass(&pc, g, out, map);
}

/* Fails each allocation of one pass in turn, until a run needs fewer. */
static void fail_each(pass_fn *pass, const ir_graph *g)
{
    ir_ref *map = malloc((g->count + 1) * sizeof *map);
    bool done = false;

    assert_non_null(map);
    for (long n = 0; !done; n++) {
        ir_graph *out = ir_graph_new(g->name);
        ir_status status;

        countdown = n;
        status = run(pass, g, out, map);
        done = countdown >= 0;
        countdown = -1;
        assert_true(status == IR_OK || status == IR_ENOMEM || status == IR_ESTATE);
        assert_true(!done || status == IR_OK);
        if (status == IR_OK) {
            ir_error e = {0};

            assert_int_equal(ir_verify(out, &e), IR_OK);
        }
        ir_graph_free(out);
    }
    free(map);
}

static void test_each_allocation_fails(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < 12; seed++) {
        ir_graph *g = random_graph(seed, 20, seed % 2), *fused = through_passes(g, false);

        fail_each(pass_fuse, fused);
        fail_each(pass_plan, fused);
        ir_graph_free(fused);
        ir_graph_free(g);
    }
}

/* The same while remat looks for a plan of 3/4 of the arena. */
static void test_remat(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < 4; seed++) {
        ir_graph *g = random_graph(seed, 12, true), *planned = through_passes(g, true);

        budget = planned->buffers.arena_bytes * 3 / 4;
        fail_each(pass_remat, planned);
        budget = 0;
        ir_graph_free(planned);
        ir_graph_free(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_allocation_fails),
                                       cmocka_unit_test(test_remat)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
