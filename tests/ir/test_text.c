/* tests/ir/test_text.c: the text form: exact round trips, what hand-written text may do, messages, and
 * mutated texts.
 *
 * The fuzzer takes the texts of seeds.h, spoils them by a seeded generator and demands of each result that it
 * either fails with a message or gives a graph that is verified and prints to a text that reads the same
 * again. */
#include "cases.h"
#include "passes/lib_random.h"
#include "seeds.h"

static char *print(const ir_graph *g)
{
    char *text;
    ir_error e = {0};
    assert_int_equal(ir_print(g, &text, &e), IR_OK);
    return text;
}

static void expect_text(const char *text, const char *printed)
{
    ir_error e;
    ir_graph *g = parse(text, &e);
    if (!g)
        fail_msg("%s in:\n%s", e.text, text);
    char *again = print(g);
    assert_string_equal(again, printed);
    free(again);
    ir_graph_free(g);
}

static void seeds_round_trip(void **state)
{
    (void)state;
    for (int i = 0; i < SEEDS; i++)
        expect_text(seeds[i], seeds[i]);
}

static void assert_same_node(const ir_graph *a, const ir_graph *b, ir_ref r)
{
    const ir_node *x = &a->nodes[r], *z = &b->nodes[r];
    assert_int_equal(x->op, z->op);
    assert_true(ir_type_eq(&x->type, &z->type));
    assert_int_equal(x->n, z->n);
    for (int i = 0; i < x->n; i++)
        assert_int_equal(x->x[i], z->x[i]);
    assert_true(ir_attrs_eq(x->op, x->attrs, z->attrs));
    assert_int_equal(x->loc.line, z->loc.line);
    assert_string_equal(x->loc.file ? x->loc.file : "", z->loc.file ? z->loc.file : "");
    assert_string_equal(x->region ? x->region : "", z->region ? z->region : "");
}

static void every_op_round_trips(void **state)
{
    (void)state;
    for (int i = 0; i < GOOD_NODES; i++) {
        char *text = case_text(&good_nodes[i]);
        ir_error e;
        ir_graph *g = parse(text, &e), *h;
        assert_non_null(g);
        char *printed = print(g);
        h = parse(printed, &e);
        if (!h)
            fail_msg("%s in:\n%s", e.text, printed);
        assert_int_equal(g->count, h->count);
        for (ir_ref r = 0; r < g->count; r++)
            assert_same_node(g, h, r);
        free(printed);
        free(text);
        ir_graph_free(g);
        ir_graph_free(h);
    }
}

/* Every float prints exactly: random bit patterns through print and parse. */
static void floats_round_trip(void **state)
{
    (void)state;
    enum { COUNT = 4096 };
    static uint64_t bits[COUNT];
    uint64_t s = 88172645463325252u;
    for (int i = 0; i < COUNT; i++) {
        s ^= s << 13;
        s ^= s >> 7;
        s ^= s << 17;
        bits[i] = i % 4 == 0 ? s & 0x800fffffffffffffu : s; /* a quarter of f64 subnormals */
    }
    for (int d = IR_DT_f32; d <= IR_DT_f64; d++) {
        ir_graph *g = ir_graph_new("floats");
        ir_attrs a = {0};
        a.constant.data = bits;
        a.constant.bytes = sizeof bits;
        a.type = ir_type_make((ir_dtype)d, 1,
                              (const int64_t[]){(int64_t)(sizeof bits / ir_dtype_size((ir_dtype)d))});
        assert_int_equal(ir_graph_append(g, IR_constant, &a, NULL, 0), 0);
        char *text = print(g);
        ir_error e;
        ir_graph *h = parse(text, &e);
        assert_non_null(h);
        assert_memory_equal(h->nodes[0].attrs->constant.data, bits, sizeof bits);
        free(text);
        ir_graph_free(g);
        ir_graph_free(h);
    }
}

static void written_by_hand(void **state)
{
    (void)state;
    /* comments, odd spacing, names for nodes, defaults, decimal numbers, outputs without names */
    expect_text("; a model\n"
                "graph@f ( %x:f32[ 4 , n ] ,\n"
                "  %b : f32[n]variable ) -> (f32[2,n], f32[n])\n"
                "{ ; opens\n"
                "\n"
                "%h = slice %x {limit=[4,n],start=[0,0],step=[2,1]}:f32[2,n] ; every second row\n"
                "  ; dropped\n"
                "  %c = constant { splat = 0.1 } : f32[n]\n"
                "  %sum = add %c, %b : f32[n] ; nn.c:3\n"
                "  %clamped = clamp %sum {lo=-1.5, hi=2} : f32[n] ; in relu6\n"
                "  return %h,\n"
                "         %clamped }\n"
                "; the end\n",
                "graph @f(%x: f32[4,n], %b: f32[n] variable) -> (f32[2,n], f32[n]) {\n"
                "  %2 = slice %x {start=[0,0], limit=[4,n], step=[2,1]} : f32[2,n]\n"
                "  %3 = constant {splat=0x1.99999ap-4} : f32[n]\n"
                "  %4 = add %3, %b : f32[n]                              ; nn.c:3\n"
                "  %5 = clamp %4 {lo=-0x1.8p+0, hi=0x1p+1} : f32[n]      ; in relu6\n"
                "  return out0: %2, out1: %5\n"
                "}\n");
}

/* Every element of 16 bits or less, NaNs with their bits, and the ends of the long integers. */
static void every_short_element_round_trips(void **state)
{
    const int64_t n = 65536;
    uint64_t *data = malloc((size_t)n * sizeof *data);

    (void)state;
    assert_non_null(data);
    for (int d = 0; d < IR_DT_COUNT; d++) {
        size_t size = ir_dtype_size((ir_dtype)d);
        ir_graph *g = ir_graph_new("f");
        ir_attrs a = {.type = ir_type_make((ir_dtype)d, 1, &n)};
        ir_error e;
        for (int64_t i = 0; i < n; i++) {
            uint64_t v = d == IR_DT_bool ? (uint64_t)i & 1 : size <= 2 ? (uint64_t)i : ~(uint64_t)0 >> i % 64;
            memcpy((char *)data + (size_t)i * size, &v, size);
        }
        a.constant.data = data;
        a.constant.bytes = (size_t)n * size;
        ir_graph_output(g, "y", ir_graph_append(g, IR_constant, &a, NULL, 0));
        char *text = print(g);
        ir_graph *h = parse(text, &e);
        if (!h)
            fail_msg("%s", e.text);
        assert_memory_equal(h->nodes[0].attrs->constant.data, data, a.constant.bytes);
        free(text);
        ir_graph_free(g);
        ir_graph_free(h);
    }
    free(data);
}

static void hostile_names(void **state)
{
    (void)state;
    ir_type t = ir_type_make(IR_DT_f32, 0, NULL);
    ir_graph *g = ir_graph_new("a\"b\\c\nd\x7f\xc3\xa9"), *h;
    ir_error e;
    g->sink.loc = (ir_loc){"dir with space/a:b;\".c", 4000000000u};
    g->sink.region = "in the \"deep\" ; end";
    ir_graph_input(g, "x y", &t);
    ir_ref v = ir_graph_variable(g, "assign", &t);
    g->sink.loc.file = "";
    ir_ref y = ir_graph_append(g, IR_neg, NULL, &v, 1);
    g->sink.loc = (ir_loc){"c:\\model.c", 0};
    g->sink.region = NULL;
    ir_graph_append(g, IR_neg, NULL, &v, 1);
    ir_graph_output(g, "return", y);
    ir_graph_output(g, "random", y);
    ir_graph_assign(g, v, y);
    char *text = print(g);
    h = parse(text, &e);
    if (!h)
        fail_msg("%s in:\n%s", e.text, text);
    assert_string_equal(h->name, g->name);
    for (ir_ref r = 0; r < g->count; r++)
        assert_same_node(g, h, r);
    assert_string_equal(h->outputs[1].name, "random");
    free(text);
    ir_graph_free(g);
    ir_graph_free(h);
}

/* Graphs as the passes leave them, with kernels, buffers and copies. */
static void random_plans_round_trip(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 150; seed++) {
        ir_graph *g = random_graph(seed, 40, seed % 2), *planned;
        assert_non_null(g);
        char *text = print(g);
        expect_text(text, text);
        free(text);
        planned = through_passes(g, true);
        text = print(planned);
        expect_text(text, text);
        free(text);
        ir_graph_free(planned);
        ir_graph_free(g);
    }
}

/* ---- messages ---------------------------------------------------------------------------------------- */

static const struct {
    const char *text, *message;
} malformed[] = {
    {"", "t.tdm:1: expected graph, found the end of the text"},
    {"grap @f", "t.tdm:1: expected graph, found 'grap'"},
    {"\n\ngraph f() -> () {", "t.tdm:3: expected '@', found 'f'"},
    {"graph @f(", "t.tdm:1: expected '%', found the end of the text"},
    {"graph @f(%x f32[])", "t.tdm:1: expected ':', found 'f32'"},
    {"graph @f() -> (i8[]) {\n%0 = constant {splat=128} : i8[]",
     "an element of i8 (an integer in -128..127)"},
    {"graph @f() -> (u16[]) {\n%0 = constant {splat=65536} : u16[]",
     "an element of u16 (an integer in 0..65535)"},
    {"graph @f() -> (f16[]) {\n%0 = constant {splat=65520} : f16[]", "a number of f16"},
    {"graph @f() -> (bf16[]) {\n%0 = constant {splat=nan(0x10000)} : bf16[]", "a number of bf16"},
    {"graph @f(%x: f8[])", "t.tdm:1: expected a dtype, found 'f8'"},
    {"graph @f(%x: f32[3)", "t.tdm:1: expected ',', found ')'"},
    {"graph @f(%x: f32[-3])",
     "t.tdm:1: expected an extent (an integer in 0..9223372036854775807), found '-3'"},
    {"graph @f(%x: f32[0])", "t.tdm:1: type: f32[0]: the extent of axis 0 is 0"},
    {"graph @f(%x: f32[9223372036854775807])", "has more than 2^40 elements"},
    {"graph @f(%x: f32[99999999999999999999])", "t.tdm:1: expected an extent"},
    {"graph @f(%x: f32[1,1,1,1,1,1,1,1,1])", "t.tdm:1: a type has at most 8 extents"},
    {"graph @f(%x: f32[],\n %x: f32[]) -> () {\nreturn\n}",
     "t.tdm:2: input: there is already an input named x"},
    {"graph @f(%\"a\\q\": f32[])", "t.tdm:1: the name of an input: malformed string"},
    {"graph @f(%\"\": f32[]) -> () {\nreturn\n}", "t.tdm:1: input: it needs a name"},
    {"graph @f(%\"a\\x00\": f32[])", "malformed string"},
    {"graph @f(%\"a", "malformed string"},
    {"graph @f() -> () {\n  %0 = frob : f32[]\n", "t.tdm:2: expected an op, found 'frob'"},
    {"graph @f() -> () {\n  %0 = input : f32[]\n", "t.tdm:2: expected an op, found 'input'"},
    {"graph @f() -> () {\n  %1 = iota : f32[3]\n", "t.tdm:2: expected node %0, found %1"},
    {"graph @f(%x: f32[]) -> () {\n  %0 = iota : f32[3]\n  %0 = iota : f32[3]\n",
     "t.tdm:3: expected node %1, found %0"},
    {"graph @f() -> () {\n  %4294967295 = iota : f32[3]\n", "t.tdm:2: expected a node's id"},
    {"graph @f(%x: f32[]) -> () {\n  %1 = neg %1 : f32[]\n", "t.tdm:2: expected an earlier node, found '%1'"},
    {"graph @f(%x: f32[]) -> () {\n  %1 = neg %y : f32[]\n",
     "t.tdm:2: expected an earlier node, found '%y', which is not defined here"},
    {"graph @f(%x: f32[]) -> () {\n  %x = neg %x : f32[]\n", "t.tdm:2: %x is defined twice"},
    {"graph @f(%x: f32[]) -> () {\n  %h = neg %x : f32[]\n  %h = neg %x : f32[]\n",
     "t.tdm:3: %h is defined twice"},
    {"graph @f(%x: f32[]) -> () {\n  %1 = neg %x : f32[] f32\n",
     "t.tdm:2: expected the end of the line, found 'f32'"},
    {"graph @f(%x: f32[]) -> () {\n  %1 = neg %x {lo=1} : f32[]\n",
     "t.tdm:2: expected an attribute of neg ()"},
    {"graph @f(%x: f32[3]) -> () {\n  %1 = slice %x {strat=[0]} : f32[3]\n",
     "t.tdm:2: expected an attribute of slice (start limit step), found 'strat'"},
    {"graph @f(%x: f32[3]) -> () {\n  %1 = slice %x {start=[0], start=[0]} : f32[3]\n",
     "t.tdm:2: slice: start is given twice"},
    {"graph @f(%x: f32[3]) -> () {\n  %1 = slice %x {start=[0,0,0,0,0,0,0,0,0]} : f32[3]\n",
     "t.tdm:2: slice: start has more than 8 entries"},
    {"graph @f(%x: f32[3]) -> () {\n  %1 = slice %x {start=[0]} : f32[3]\n",
     "t.tdm:2: slice: expected the attribute limit"},
    {"graph @f(%x: f32[3]) -> () {\n  %1 = reduce_sum %x {axes=[128]} : f32[]\n",
     "t.tdm:2: expected axes (an integer in -128..127), found '128'"},
    {"graph @f(%x: f32[3]) -> () {\n  %1 = add %x, %x, %x, %x, %x, %x, %x, %x, %x : f32[3]\n",
     "t.tdm:2: add: it has more than 8 operands"},
    {"graph @f() -> () {\n  %0 = constant {data=[1,\n2,\nx]} : i32[3]\n  return\n}",
     "t.tdm:4: expected an element of i32"},
    {"graph @f(%x: f32[3]) -> () {\n  return y %x\n}", "t.tdm:2: expected ':', found '%x'"},
    {"graph @f(%x: f32[3]) -> (f32[3], f32[3]) {\n  return y: %x\n}",
     "t.tdm:1: expected 1 result types, found 2"},
    {"graph @f(%x: f32[3]) -> (f32[4]) {\n  return y: %x\n}",
     "t.tdm:1: result 0: expected the type f32[3], found f32[4]"},
    {"graph @f(%x: f32[3]) -> (f32[3], f32[3]) {\n  return y: %x, y: %x\n}",
     "t.tdm:2: output: there is already an output named y"},
    {"graph @f(%x: f32[3]) -> () {\n  return assign %x = %x\n}",
     "t.tdm:2: assign: node %0 is input, not a variable"},
    {"graph @f(%x: f32[3] variable) -> () {\n  return assign %x = %x, assign %x = %x\n}",
     "t.tdm:2: a variable is assigned twice"},
    {"graph @f(%x: f32[3]) -> () {\n  return\n  bogus\n}",
     "t.tdm:3: expected random, kernel, chain, arena, buffer, copy or '}', found 'bogus'"},
    {"graph @f(%x: f32[3]) -> () {\n  return\n  random -1\n}", "t.tdm:3: expected the counters of a run"},
    {"graph @f(%x: f32[3]) -> () {\n  return\n  random 1\n  random 1\n}", "t.tdm:4: random is given twice"},
    {"graph @f(%x: f32[3]) -> () {\n  return\n  kernel lop \"k\"\n}",
     "t.tdm:3: expected a kind of kernel, found 'lop'"},
    {"graph @f(%x: f32[3]) -> () {\n  return\n  buffer %x heap +4\n}",
     "t.tdm:3: expected a kind of buffer, found 'heap'"},
    {"graph @f(%x: f32[3]) -> () {\n  return\n  buffer %x argument 0 +12 life 0.1\n}",
     "t.tdm:3: expected '..', found '.'"},
    {"graph @f() -> () {\n  return\n}\nmore", "t.tdm:4: expected the end of the text, found 'more'"},
    {"graph @f() -> () {\n  return\n",
     "t.tdm:3: expected random, kernel, chain, arena, buffer, copy or '}', found the end of the text"},
    {"graph @f() -> () {\n  \x01", "t.tdm:2: expected '%', found byte 0x01"},
};

static void messages(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
        ir_error e;
        ir_graph *g = parse(malformed[i].text, &e);
        if (g)
            fail_msg("accepted: %s", malformed[i].text);
        assert_message(&e, malformed[i].message);
    }
}

static void large_text_is_refused(void **state)
{
    (void)state;
    ir_error e = {0};
    assert_null(ir_parse("graph", ((size_t)1 << 30) + 1, "t.tdm", NULL, &e)); /* refused before it is read */
    assert_message(&e, "t.tdm:1: the text has more than 1073741824 bytes");
}

/* 60 doublings in one kernel: the walk must visit nodes, not paths. */
static void wide_kernel(void **state)
{
    (void)state;
    enum { NODES = 60 };
    char text[16384];
    int n = sprintf(text, "graph @f(%%x: f32[3]) -> (f32[3]) {\n");
    for (int i = 1; i <= NODES; i++)
        n += sprintf(text + n, "  %%%d = add %%%d, %%%d : f32[3]\n", i, i - 1, i - 1);
    n += sprintf(text + n, "  return y: %%%d\n  kernel loop \"k\" root %%%d {", NODES, NODES);
    for (int i = 1; i <= NODES; i++)
        n += sprintf(text + n, " %%%d", i);
    sprintf(text + n, " -> %%%d }\n}\n", NODES);
    ir_error e;
    ir_graph *g = parse(text, &e);
    if (!g)
        fail_msg("%s", e.text);
    ir_graph_free(g);
}

/* Halves added again and again: 2^20 elements at as many maps.  Refused before it costs time or memory. */
static void exponential_kernel(void **state)
{
    (void)state;
    char text[8192], listed[1024];
    int n = sprintf(text, "graph @f(%%x: f32[1048576]) -> (f32[1]) {\n"), m = 0, at = 0;
    for (int size = 1 << 20; size > 1; size /= 2, at += 3) {
        int half = size / 2;
        n += sprintf(text + n, "  %%%d = slice %%%d {start=[0], limit=[%d]} : f32[%d]\n", at + 1, at, half,
                     half);
        n += sprintf(text + n, "  %%%d = slice %%%d {start=[%d], limit=[%d]} : f32[%d]\n", at + 2, at, half,
                     size, half);
        n += sprintf(text + n, "  %%%d = add %%%d, %%%d : f32[%d]\n", at + 3, at + 1, at + 2, half);
        m += sprintf(listed + m, "%%%d %%%d %%%d ", at + 1, at + 2, at + 3);
    }
    sprintf(text + n, "  return y: %%%d\n  kernel loop \"k\" root %%%d { %s-> %%%d }\n}\n", at, at, listed,
            at);
    ir_error e;
    assert_null(parse(text, &e));
    assert_message(&e, "can't be computed there: a view or row that has no map in its space, or too many");
}

/* Every example of docs/ir.md is a graph, and prints to a text that reads the same again. */
static void documented_examples(void **state)
{
    (void)state;
    static char doc[1 << 16];
    static const char fence[] = "```tdm\n";
    FILE *f = fopen(TANDEM_SOURCE_DIR "/docs/ir.md", "r");
    assert_non_null(f);
    doc[fread(doc, 1, sizeof doc - 1, f)] = 0;
    fclose(f);
    int examples = 0;
    for (const char *s = doc; (s = strstr(s, fence)); examples++) {
        s += sizeof fence - 1;
        const char *end = strstr(s, "```");
        assert_non_null(end);
        ir_error e = {0};
        ir_graph *g = ir_parse(s, (size_t)(end - s), "ir.md", NULL, &e);
        if (!g)
            fail_msg("%s", e.text);
        char *text = print(g);
        expect_text(text, text);
        free(text);
        ir_graph_free(g);
    }
    assert_int_equal(examples, 4);
}

/* ---- mutations --------------------------------------------------------------------------------------- */

static uint64_t random_state = 1;

static uint32_t random_below(uint32_t n)
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ (z >> 31)) >> 32) % n;
}

enum { TEXT_MAX = 8192 };

/* One change of text[0..n) in place; returns the new length. */
static size_t mutate(char *text, size_t n)
{
    static const char *const tokens[] = {"%0",   "%2",   "-1",         "0",  "18446744073709551616",
                                         "[",    "]",    "{",          "}",  "->",
                                         "f32[", "nan(", "0x1p+99999", ";",  "\n",
                                         "\"",   "n,n",  "@",          "..", "alias",
                                         "%x",   "=",    "loop",       "row"};
    uint32_t at = n ? random_below((uint32_t)n) : 0, length = 1 + random_below(8);
    switch (random_below(5)) {
    case 0: /* a byte changes */
        if (n)
            text[at] =
                (char)(random_below(2) ? random_below(256) : (uint32_t)text[at] ^ 1u << random_below(7));
        return n;
    case 1: /* bytes go */
        length = length > n - at ? (uint32_t)n - at : length;
        memmove(text + at, text + at + length, n - at - length);
        return n - length;
    case 2: { /* bytes repeat */
        length = random_below(2) ? length * 8 : length;
        if (length > n - at || n + length > TEXT_MAX)
            return n;
        memmove(text + at + length, text + at, n - at);
        return n + length;
    }
    case 3: { /* a token appears */
        const char *token = tokens[random_below(sizeof tokens / sizeof *tokens)];
        size_t size = strlen(token);
        if (n + size > TEXT_MAX)
            return n;
        memmove(text + at + size, text + at, n - at);
        memcpy(text + at, token, size);
        return n + size;
    }
    default: /* a digit changes */
        for (uint32_t i = at; i < n; i++)
            if (text[i] >= '0' && text[i] <= '9') {
                text[i] = (char)('0' + random_below(10));
                break;
            }
        return n;
    }
}

static void check_accepted(ir_graph *g)
{
    ir_error e = {0};
    char *text = print(g);
    assert_int_equal(ir_verify(g, &e), IR_OK);
    ir_graph *h = parse(text, &e);
    if (!h)
        fail_msg("%s in:\n%s", e.text, text);
    char *again = print(h);
    assert_string_equal(text, again);
    free(text);
    free(again);
    ir_graph_free(h);
}

static void mutations(void **state)
{
    (void)state;
    const char *rounds_text = getenv("TANDEM_FUZZ_ROUNDS");
    long rounds = rounds_text ? atol(rounds_text) : 20000, accepted = 0;
    for (long i = 0; i < rounds; i++) {
        const char *seed = seeds[random_below(SEEDS)];
        char text[TEXT_MAX];
        size_t n = strlen(seed);
        memcpy(text, seed, n);
        for (uint32_t changes = 1 + random_below(3); changes; changes--)
            n = mutate(text, n);
        char *exact = malloc(n ? n : 1); /* so that ASan sees a read past the end */
        memcpy(exact, text, n);
        ir_error e = {0};
        ir_graph *g = ir_parse(exact, n, "fuzz", NULL, &e);
        free(exact);
        if (g)
            check_accepted(g), accepted++;
        else
            assert_true(e.status != IR_OK && strncmp(e.text, "fuzz:", 5) == 0);
        ir_graph_free(g);
    }
    assert_true(accepted > rounds / 100); /* the mutations are not so wild that nothing is accepted */
    assert_true(accepted < rounds / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seeds_round_trip),
        cmocka_unit_test(every_op_round_trips),
        cmocka_unit_test(floats_round_trip),
        cmocka_unit_test(written_by_hand),
        cmocka_unit_test(every_short_element_round_trips),
        cmocka_unit_test(hostile_names),
        cmocka_unit_test(random_plans_round_trip),
        cmocka_unit_test(messages),
        cmocka_unit_test(large_text_is_refused),
        cmocka_unit_test(wide_kernel),
        cmocka_unit_test(exponential_kernel),
        cmocka_unit_test(documented_examples),
        cmocka_unit_test(mutations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
