/* tests/ir/test_digest.c: whatever compiled code depends on changes a graph's fingerprint; where a node comes
 * from, what inputs are called and what constants in memory hold does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ir/digest.h"

static ir_digest digest_by(void (*take)(ir_digest *d, const ir_graph *g), const char *text)
{
    ir_error e = {0};
    ir_digest d = {0};
    ir_graph *g = ir_parse(text, strlen(text), "test", NULL, &e);

    if (!g)
        fail_msg("%s", e.text);
    take(&d, g);
    ir_digest_end(&d);
    ir_graph_free(g);
    return d;
}

static ir_digest digest_of(const char *text)
{
    return digest_by(ir_digest_graph, text);
}

static ir_digest source_digest_of(const char *text)
{
    return digest_by(ir_digest_source, text);
}

static bool same(ir_digest a, ir_digest b)
{
    assert_true((a.a == b.a) == (a.b == b.b)); /* neither half is blind */
    return a.a == b.a;
}

#define GRAPH(x, c, sum, kernel, memory)                                          \
    "graph @g(%" x ": f32[4,3]) -> (f32[4]) {\n"                                  \
    "  %1 = constant {" c "} : f32[3]\n  %2 = broadcast %1 : f32[4,3]\n"          \
    "  %3 = add %" x ", %2 : f32[4,3]\n  %4 = " sum " : f32[4]\n  return y: %4\n" \
    "  kernel row \"" kernel "\" root %4 { %2 %3 %4 -> %4 }\n" memory "}\n"
#define MEMORY(x, at)                                          \
    "  arena 128\n  buffer %" x " argument 0 +48 life -1..0\n" \
    "  buffer %1 constant 0 +12 life -1..0\n  buffer %4 " at " +16 life 0..1\n"
#define DATA "data=[0x1p+0,0x1p+1,0x1p+2]"
#define SUM "reduce_sum %3 {axes=[1]}"

static void test_graphs(void **state)
{
    ir_digest whole = digest_of(GRAPH("x", DATA, SUM, "k0_sum", MEMORY("x", "output 0")));
    static const char *const others[] = {
        GRAPH("x", "splat=0x1p+0", SUM, "k0_sum", MEMORY("x", "output 0")),
        GRAPH("x", "splat=-0x1p+0", SUM, "k0_sum", MEMORY("x", "output 0")),
        GRAPH("x", DATA, "reduce_max %3 {axes=[1]}", "k0_sum", MEMORY("x", "output 0")),
        GRAPH("x", DATA, "reduce_sum %2 {axes=[1]}", "k0_sum", MEMORY("x", "output 0")),
        GRAPH("x", DATA, SUM, "k1_sum", MEMORY("x", "output 0")),
        GRAPH("x", DATA, SUM, "k0_sum", MEMORY("x", "arena @0")),
        GRAPH("x", DATA, SUM, "k0_sum", MEMORY("x", "arena @64")),
        GRAPH("x", DATA, SUM, "k0_sum", MEMORY("x", "output 0") "  copy output 0 from arena @0 +16\n"),
        GRAPH("x", DATA, SUM, "k0_sum", MEMORY("x", "output 0") "  copy output 0 from arena @64 +16\n"),
    };
    enum { COUNT = sizeof others / sizeof *others };
    ir_digest d[COUNT];

    (void)state;
    assert_true(same(whole, digest_of(GRAPH("z", DATA, SUM, "k0_sum", MEMORY("z", "output 0")))));
    assert_true(same(whole, digest_of(GRAPH("x", DATA, SUM, "k0_sum", MEMORY("x", "output 0")))));
    assert_true(same(whole, digest_of(GRAPH("x", "data=[-0x1p+0,0x1p+1,0x1p+2]", SUM, "k0_sum",
                                            MEMORY("x", "output 0")))));
    for (int i = 0; i < COUNT; i++) {
        d[i] = digest_of(others[i]);
        assert_false(same(whole, d[i]));
        for (int j = 0; j < i; j++)
            assert_false(same(d[i], d[j]));
    }
}

static void test_shapes(void **state)
{
    static const char *const texts[] = {
        "graph @g(%x: f32[4,3]) -> (f32[3,4]) {\n  %1 = reshape %x : f32[3,4]\n  return y: %1\n}\n",
        "graph @g(%x: f32[4,3]) -> (f32[2,6]) {\n  %1 = reshape %x : f32[2,6]\n  return y: %1\n}\n",
        "graph @g(%x: f64[4,3]) -> (f64[3,4]) {\n  %1 = reshape %x : f64[3,4]\n  return y: %1\n}\n",
        "graph @g(%x: f32[4,3]) -> (f32[3,4]) {\n  %1 = transpose %x {perm=[1,0]} : f32[3,4]\n"
        "  return y: %1\n}\n",
        "graph @g(%x: f32[4,3]) -> (f32[4,3]) {\n  %1 = clamp %x {lo=0x0p+0, hi=0x1p+0} : f32[4,3]\n"
        "  return y: %1\n}\n",
        "graph @g(%x: f32[4,3]) -> (f32[4,3]) {\n  %1 = clamp %x {lo=0x0p+0, hi=0x1p+1} : f32[4,3]\n"
        "  return y: %1\n}\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (size_t j = 0; j < i; j++)
            assert_false(same(digest_of(texts[i]), digest_of(texts[j])));
}

/* What passes hand on counts in a source: places, regions, names; and the data of every constant. */
static void test_sources(void **state)
{
    static const char *const texts[] = {
        GRAPH("x", DATA, SUM, "k0_sum", MEMORY("x", "output 0")),
        GRAPH("z", DATA, SUM, "k0_sum", MEMORY("z", "output 0")),
        GRAPH("x", "data=[-0x1p+0,0x1p+1,0x1p+2]", SUM, "k0_sum", MEMORY("x", "output 0")),
        "graph @g(%x: f32[4]) -> (f32[4]) {\n  %1 = exp %x : f32[4]\n  return y: %1\n}\n",
        "graph @h(%x: f32[4]) -> (f32[4]) {\n  %1 = exp %x : f32[4]\n  return y: %1\n}\n",
        "graph @g(%x: f32[4]) -> (f32[4]) {\n  %1 = exp %x : f32[4]\n  return z: %1\n}\n",
        "graph @g(%x: f32[4]) -> (f32[4]) {\n  %1 = exp %x : f32[4]\n  return y: %1\n  random 4\n}\n",
        "graph @g(%x: f32[4]) -> (f32[4]) {\n  %1 = exp %x : f32[4] ; a.c:1\n  return y: %1\n}\n",
        "graph @g(%x: f32[4]) -> (f32[4]) {\n  %1 = exp %x : f32[4] ; a.c:2\n  return y: %1\n}\n",
        "graph @g(%x: f32[4]) -> (f32[4]) {\n  %1 = exp %x : f32[4] ; b.c:1\n  return y: %1\n}\n",
        "graph @g(%x: f32[4]) -> (f32[4]) {\n  %1 = exp %x : f32[4] ; a.c:1 in gelu\n  return y: %1\n}\n",
    };
    enum { COUNT = sizeof texts / sizeof *texts };
    ir_digest d[COUNT];

    (void)state;
    for (int i = 0; i < COUNT; i++) {
        d[i] = source_digest_of(texts[i]);
        assert_true(same(d[i], source_digest_of(texts[i])));
        for (int j = 0; j < i; j++)
            assert_false(same(d[i], d[j]));
    }
}

/* Pieces are told apart, not only the bytes they make up; a single bit anywhere counts. */
static void test_bytes(void **state)
{
    ir_digest ab = {0}, a_b = {0}, flipped;
    unsigned char bytes[100] = {0};

    (void)state;
    ir_digest_add(&ab, "ab", 2);
    ir_digest_add(&a_b, "a", 1);
    ir_digest_add(&a_b, "b", 1);
    assert_false(same(ab, a_b));
    ir_digest zero = {0};
    ir_digest_add(&zero, bytes, sizeof bytes);
    ir_digest_end(&zero);
    for (size_t i = 0; i < 8 * sizeof bytes; i++) {
        bytes[i / 8] = (unsigned char)(1 << (i % 8));
        flipped = (ir_digest){0};
        ir_digest_add(&flipped, bytes, sizeof bytes);
        ir_digest_end(&flipped);
        assert_false(same(zero, flipped));
        bytes[i / 8] = 0;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_graphs),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_sources),
        cmocka_unit_test(test_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
