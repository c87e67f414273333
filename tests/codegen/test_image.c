/* tests/codegen/test_image.c: a compiled program as bytes, and the linker that loads it: what is whole runs,
 * what is damaged is refused by name and never followed outside its bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/elf.h"
#include "tests/codegen/lib_codegen.h"

/* y = sort order of x, and exp(x) * x: a C function, constants in memory, two modules that reach each other.
 */
static ir_graph *graph(void)
{
    ir_graph *g = ir_graph_new("image");
    ir_val x = test_input(g, "x", TEST_TYPE(IR_DT_f32, 40));

    ir_attrs a = {0};
    test_output(g, ir_e_mul(&g->sink, ir_emit(&g->sink, IR_exp, NULL, &x, 1), x));
    test_output(g, ir_emit(&g->sink, IR_argsort, &a, &x, 1));
    return test_fuse_plan(g);
}

typedef struct packed {
    unsigned char *bytes;
    size_t size;
} packed;

static ir_status keep(void *user, const rt_image *image, const cg_times *t, ir_error *e)
{
    packed *p = user;

    (void)t;
    (void)e;
    p->bytes = rt_image_pack(image, &p->size);
    return IR_OK;
}

static packed compile(const ir_graph *g)
{
    packed p = {0};
    ir_error e = {0};
    cg_options o = {.threads = 2};

    if (tdm_codegen_entry(CG_ABI, &test_host)->compile(g, &o, keep, &p, &e) != IR_OK)
        fail_msg("%s", e.text);
    assert_non_null(p.bytes);
    return p;
}

static void run(const rt_image *m, const ir_graph *g)
{
    float x[40], y[40];
    int64_t order[40];
    rt_program p = {.graph = (ir_graph *)(uintptr_t)g};
    ir_error e = {0};

    for (int i = 0; i < 40; i++)
        x[i] = (float)((i * 7) % 40);
    if (rt_image_load(m, &p, false, &e) != IR_OK)
        fail_msg("%s", e.text);
    rt_exec *exec = rt_exec_new(&p, NULL, &e);
    rt_exec_input(exec, 0, x);
    rt_exec_output(exec, 0, y);
    rt_exec_output(exec, 1, order);
    rt_exec_run(exec);
    for (int i = 0; i < 40; i++) {
        assert_int_equal((int)x[order[i]], i);
        assert_true(x[i] == 0 ? y[i] == 0 : y[i] >= x[i]);
    }
    rt_exec_free(exec);
    p.graph = NULL;
    rt_program_free(&p);
}

static void test_round_trip(void **state)
{
    ir_graph *g = graph();
    packed p = compile(g);
    rt_image m;

    (void)state;
    assert_true(rt_image_unpack(&m, p.bytes, p.size));
    assert_int_equal(m.kernel_count, g->kernels.count);
    assert_int_equal(m.object_count, 2);
    run(&m, g);
    free((void *)(uintptr_t)m.kernels);
    free(p.bytes);
    ir_graph_free(g);
}

static ir_val constant(ir_graph *g, const float *data, int64_t n)
{
    ir_type t = TEST_TYPE(IR_DT_f32, n);

    return ir_e_constant(&g->sink, &t, data, false);
}

/* Weights are in memory once: a program reads them where its graph holds them.  Small data is its own. */
static void test_weights_stay_where_they_are(void **state)
{
    enum { MANY = 2048, FEW = 5 };
    static float w[MANY] = {1, 2, 3};
    ir_graph *g = ir_graph_new("weights");
    ir_val x = test_input(g, "x", TEST_TYPE(IR_DT_f32, MANY));
    rt_program p = {0};
    ir_error e = {0};

    (void)state;
    test_output(g, ir_e_mul(&g->sink, x, constant(g, w, MANY)));
    test_output(g, constant(g, w, FEW));
    g = test_fuse_plan(g);
    assert_int_equal(test_compile(g, &(cg_options){.threads = 1}, &p, &e), IR_OK);
    assert_int_equal(p.constant_count, 2);
    for (int i = 0; i < p.constant_count; i++) {
        assert_int_equal(p.constants[i].owned, p.constants[i].bytes == FEW * sizeof(float));
        assert_memory_equal(p.constants[i].data, w, p.constants[i].bytes);
    }
    rt_program_free(&p);
}

/* Every length but the whole one is refused; memory ends where the bytes do, so ASan sees a look beyond. */
static void test_truncated(void **state)
{
    ir_graph *g = graph();
    packed p = compile(g);
    rt_image m;

    (void)state;
    for (size_t n = 0; n < p.size; n++) {
        unsigned char *cut = malloc(n ? n : 1);
        memcpy(cut, p.bytes, n);
        assert_false(rt_image_unpack(&m, cut, n));
        free(cut);
    }
    free(p.bytes);
    ir_graph_free(g);
}

static void link_anyhow(const unsigned char *bytes, size_t size, const ir_graph *g)
{
    rt_image m;
    ir_error e = {0};
    rt_program p = {.graph = (ir_graph *)(uintptr_t)g};

    if (!rt_image_unpack(&m, bytes, size))
        return;
    if (rt_image_load(&m, &p, false, &e) != IR_OK)
        assert_true(e.text[0] != 0);
    free((void *)(uintptr_t)m.kernels);
    p.graph = NULL;
    rt_program_free(&p);
}

/* Any byte may be wrong: linking ends well or with an error (the code is not run). */
static void test_damaged(void **state)
{
    ir_graph *g = graph();
    packed p = compile(g);

    (void)state;
    for (size_t i = 0; i < p.size; i++)
        for (int way = 0; way < 2; way++) {
            unsigned char *copy = malloc(p.size);
            memcpy(copy, p.bytes, p.size);
            copy[i] ^= (unsigned char)(way ? 0xff : 1 << (i % 8));
            link_anyhow(copy, p.size, g);
            free(copy);
        }
    free(p.bytes);
    ir_graph_free(g);
}

static void expect_refusal(const rt_object *o, int n, const char *why)
{
    ir_error e = {0};
    rt_symbol entry = {.name = RT_ENTRY_SYMBOL};

    assert_null(rt_code_link(o, n, &entry, 1, false, &e));
    if (!strstr(e.text, why))
        fail_msg("expected '%s', found '%s'", why, e.text);
}

static Elf64_Shdr *section_with(unsigned char *object, unsigned type, uint64_t flag)
{
    Elf64_Ehdr *h = (void *)object;
    Elf64_Shdr *s = (void *)(object + h->e_shoff);

    for (int i = 0; i < h->e_shnum; i++)
        if (s[i].sh_type == type && (s[i].sh_flags & flag) == flag && s[i].sh_size)
            return &s[i];
    fail_msg("the object has no section of type %u", type);
    return NULL;
}

static void test_refusals(void **state)
{
    ir_graph *g = graph();
    packed p = compile(g);
    rt_image m;
    static const unsigned char text[64] = "not an object";

    (void)state;
    assert_true(rt_image_unpack(&m, p.bytes, p.size));
    unsigned char *first = (unsigned char *)(uintptr_t)m.objects[0].data;
    expect_refusal(&(rt_object){text, sizeof text}, 1, "not a relocatable ELF object");
    expect_refusal(&m.objects[0], 0, "nothing is called 'tandem_entry'");
    expect_refusal((rt_object[]){m.objects[0], m.objects[0]}, 2, "is defined twice");
    expect_refusal(&m.objects[0], 1, "nothing is called 'k"); /* the other module's kernel */
    Elf64_Shdr *code = section_with(first, SHT_PROGBITS, SHF_EXECINSTR);
    code->sh_flags |= SHF_WRITE;
    expect_refusal(m.objects, 2, "can be written to");
    code->sh_flags &= ~(uint64_t)SHF_WRITE;
    Elf64_Rela *r = (void *)(first + section_with(first, SHT_RELA, 0)->sh_offset);
    r->r_info = ELF64_R_INFO(ELF64_R_SYM(r->r_info), R_X86_64_GOTTPOFF);
    expect_refusal(m.objects, 2, "a relocation of kind 22");
    free((void *)(uintptr_t)m.kernels);
    free(p.bytes);
    ir_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_weights_stay_where_they_are),
        cmocka_unit_test(test_truncated),  cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
