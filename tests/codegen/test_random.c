/* tests/codegen/test_random.c: random graphs through every pass and the compiler have the eager engine's
 * bits.
 *
 * Forward and gradient graphs, each at another lane count and instruction set level, on one and two threads,
 * as a whole and cut into chunks.  A failing graph is printed as text.  TANDEM_RANDOM_GRAPHS=10000 for a long
 * run.
 *
 * ctest-labels: slow
 * ctest-timeout: 1800 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/codegen/lib_codegen.h"
#include "tests/passes/lib_random.h"

static void test_random_graphs(void **state)
{
    const char *text = getenv("TANDEM_RANDOM_GRAPHS"), *first = getenv("TANDEM_RANDOM_FIRST");
    int count = text ? atoi(text) : 150, from = first ? atoi(first) : 0;

    (void)state;
    for (int i = from; i < from + count; i++) {
        const test_config *config = &test_configs[i % test_config_count];
        ir_graph *raw = random_graph((uint32_t)i + 1, 4 + i % 50, i % 3 == 0);
        assert_non_null(raw);
        ir_graph *g = through_passes(raw, true);
        if (config->isa && !rt_level_named(config->isa))
            config = &test_configs[0];
        fprintf(stderr, "\rgraph %d  ", i); /* which one, should the process die */
        test_check_config(g, config, i % 5 == 0);
        ir_graph_free(g);
        ir_graph_free(raw);
    }
    fprintf(stderr, "\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_graphs)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
