/* scripts/gen_ops.c: writes docs/ops/ from ir/ops.def, from the tables docs/ops/PAGE.def of the public
 * functions and from the errors measured in docs/ulp.md, so that the docs can't drift from the code.
 *
 *   OP_UNARY(tanh, IR_EXPENSIVE, D_FLOAT, .., "hyperbolic tangent", CALL1(tanh, x), mul(dy, ..), "")
 *   ->  | `tanh` | float | hyperbolic tangent | dy (1 - y^2) | | 2.566 f32, .. |      docs/ops/pointwise.md
 *
 *   {.call = "tdm_sum(x, axes, keep)", .op = "reduce_sum", ..}
 *   ->  ### sum: shapes, dtypes, gradient, .. of the row reduce_sum                   docs/ops/reductions.md
 *
 * Built by `cmake --build build --target ops-table`, which rewrites the pages; a test compares them.  An
 * entry that lacks something, and a row of ops.def that no entry is about, are errors. */
#include <stdio.h>
#include <string.h>

#include "scripts/gen_formula.h"

enum { LINE = 1024, NAMES = 400 };

static int failures;

static void complain(const char *what, const char *of)
{
    fprintf(stderr, "gen-ops: %s: %s\n", of, what);
    failures++;
}

/* ---- the tables ---------------------------------------------------------------------------------------- */

/* A row of ops.def. */
typedef struct prim {
    const char *name, *facts, *types, *formula, *shapes, *gradient_x, *gradient_z, *value, *kink;
    int operands, seen;
} prim;

static prim prims[] = {
#define OP_UNARY(name, facts, types, lo, hi, flops, saves, formula, VALUE, GRAD, kink) \
    {#name, #facts, #types, formula, "", #GRAD, NULL, #VALUE, kink, 1, 0},
#define OP_BINARY(name, facts, types, lo, hi, flops, saves, formula, VALUE, GRADX, GRADZ, kink) \
    {#name, #facts, #types, formula, "", #GRADX, #GRADZ, #VALUE, kink, 2, 0},
#define OP_SELECT(name, facts, types, lo, hi, flops, saves, formula, VALUE, GRADX, GRADZ, kink) \
    {#name, #facts, #types, formula, "", #GRADX, #GRADZ, #VALUE, kink, 3, 0},
#define OP_OTHER(name, cls, arity, facts, types, lo, hi, flops, saves, formula, shapes, vjp, grad, kink) \
    {#name, #facts, #types, formula, shapes, grad, NULL, NULL, kink, 0, 0},
#include "ir/ops.def"
};
enum { PRIMS = sizeof prims / sizeof *prims };

/* What is said about a function or several; what is NULL comes from the row of ops.def named by op. */
typedef struct entry {
    const char *call; /* "tdm_sum(x, axes, keep)"; with others behind commas; NULL: an op without one */
    const char *name; /* NULL: the first function's */
    const char *op;
    const char *value, *shapes, *dtypes, *gradient;
    const char *edges; /* kinks and ties that no row tells of, infinities, what is refused; NULL: nothing */
    const char *accuracy;
    const char *source; /* NULL: none */
} entry;

/* Words of the tables. */
#define SAME "any -> the same"
#define BROADCAST "operands broadcast"
#define EXACT "exact: elements move or stay"
#define PARTS "as its parts"
#define ROUNDED(n) "at most " #n " roundings"

typedef struct page {
    const char *file, *title, *about;
    const entry *entries;
    size_t count;
} page;

#define PAGE(name) static const entry name##_entries[] =
PAGE(making){
#include "docs/ops/making.def"
};
PAGE(pointwise){
#include "docs/ops/pointwise.def"
};
PAGE(activations){
#include "docs/ops/activations.def"
};
PAGE(structure){
#include "docs/ops/structure.def"
};
PAGE(indexing){
#include "docs/ops/indexing.def"
};
PAGE(reductions){
#include "docs/ops/reductions.def"
};
PAGE(scans){
#include "docs/ops/scans.def"
};
PAGE(products){
#include "docs/ops/products.def"
};
PAGE(norms){
#include "docs/ops/norms.def"
};
PAGE(losses){
#include "docs/ops/losses.def"
};
PAGE(attention){
#include "docs/ops/attention.def"
};
PAGE(random){
#include "docs/ops/random.def"
};
PAGE(custom){
#include "docs/ops/custom.def"
};
PAGE(optimisers){
#include "docs/ops/optimisers.def"
};
PAGE(schedules){
#include "docs/ops/schedules.def"
};

#define P(name, title, about) {#name, title, about, name##_entries, sizeof name##_entries / sizeof(entry)}
static const page pages[] = {
    P(making, "Inputs, variables, constants", "Where values come from."),
    P(pointwise, "Pointwise",
      "The rows below are functions `tdm_NAME(x)`, or of two operands `tdm_NAME(x, z)` and\n"
      "`tdm_NAME_scalar(x, 1.5)`, whose number is rounded to x's dtype. Operands broadcast as in NumPy;\n"
      "the op itself has operands of one shape. Activations have [a page of their own](activations.md)."),
    P(activations, "Activations and softmax",
      "Formulas and gradients at kinks are PyTorch's. `relu`, `tanh` and `logistic` (the sigmoid) are\n"
      "[pointwise ops](pointwise.md). Below, s(x) is the logistic function."),
    P(structure, "Rearranging, joining, repeating",
      "No arithmetic on elements: they move, or give way to a constant. Negative axes count from the end."),
    P(indexing, "Gather, scatter, boxes",
      "Indices are clamped into their axis. Where several updates meet in one place they are combined\n"
      "in ascending row-major order of the index ([numerics.md](../numerics.md) rule 8)."),
    P(reductions, "Reductions",
      "Over any set of axes (`tdm_axes(0, -1)`, `tdm_all_axes()`), which leave the shape, or with\n"
      "`keep` stay as extents of 1. u is half a unit in the last place of 1: 2^-24 for f32, 2^-53 for\n"
      "f64."),
    P(scans, "Scans and sorting",
      "Along one axis. u is half a unit in the last place of 1: 2^-24 for f32, 2^-53 for f64."),
    P(products, "Products", "Order of additions: [numerics.md](../numerics.md) rule 5."),
    P(norms, "Normalisation", "Variances take two passes. gamma and beta may be NULL."),
    P(losses, "Losses",
      "Formulas are PyTorch's. r is `TDM_REDUCE_MEAN`, `_SUM` or `_NONE`, over all elements; gradients\n"
      "are said of `TDM_REDUCE_NONE`: the mean's are divided by the count. x and target have one float\n"
      "dtype and one shape unless said; a reduced loss is a scalar."),
    P(attention, "Attention and positions", "Composites of products, softmax and pointwise ops."),
    P(random, "Random numbers",
      "Philox4x32-10 ([numerics.md](../numerics.md) rule 10), keyed by the context's seed; each call\n"
      "takes the next counters of the stream, and both engines draw the same. Salmon et al. 2011,\n"
      "\"Parallel random numbers: as easy as 1, 2, 3\"."),
    P(custom, "Custom calls",
      "Ops that a program brings along: [custom-calls.md](../custom-calls.md) says how."),
    P(optimisers, "Optimisers and clipping",
      "PyTorch's formulas (`torch.optim`). p the parameter, g its gradient, t the number of this step,\n"
      "1 at first; m, v are state, 0 at first. Each parameter's update is one pointwise kernel. A step\n"
      "is not recorded: no gradient flows through it."),
    P(schedules, "Learning-rate schedules",
      "Factors of a learning rate by the number t of steps taken, a float scalar; closed forms of\n"
      "`torch.optim.lr_scheduler`. They are ops like any other, so a compiled step follows its\n"
      "schedule."),
};
enum { PAGES = sizeof pages / sizeof *pages };

static prim *prim_named(const char *name)
{
    for (int i = 0; i < PRIMS; i++)
        if (strcmp(prims[i].name, name) == 0)
            return &prims[i];
    complain("no row of ops.def", name);
    return &prims[0];
}

/* ---- words --------------------------------------------------------------------------------------------- */

/* Text in which a file of docs/ becomes a link; in a table | is not a column. */
static void text(FILE *out, const char *s, int table)
{
    static const char linked[] = "numerics.md";

    for (; *s; s++) {
        if (strncmp(s, linked, strlen(linked)) == 0 && s[-1] != '/' && s[-1] != '[') {
            fprintf(out, "[%s](../%s)", linked, linked);
            s += strlen(linked) - 1;
            continue;
        }
        if (*s == '|' && table)
            fputc('\\', out);
        fputc(*s, out);
    }
}

/* D_FLOAT as "float", D_(u32) as "u32"; any other text is itself. */
static const char *dtypes(const char *set)
{
    static const char *const names[][2] = {{"D_ANY", "any"},     {"D_NUM", "number"},
                                           {"D_FLOAT", "float"}, {"D_INT", "integer"},
                                           {"D_BOOL", "bool"},   {"D_BITS", "integer, bool"}};
    static char one[32];

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(set, names[i][0]) == 0)
            return names[i][1];
    if (strncmp(set, "D_(", 3) != 0)
        return set;
    snprintf(one, sizeof one, "%.*s", (int)strlen(set) - 4, set + 3);
    return one;
}

/* ---- accuracy ------------------------------------------------------------------------------------------ */

static char measured[1 << 17]; /* docs/ulp.md */

/* Adds the fourth cell of the line `| name | dtype | inputs | ulp | at |` to buf, if there is one. */
static void add_ulp(const char *name, const char *dtype, char *buf, size_t size)
{
    char key[96], value[16];

    snprintf(key, sizeof key, "\n| %s | %s |", name, dtype);
    const char *at = strstr(measured, key);
    if (at && sscanf(at + strlen(key), "%*[^|]| %15s", value) == 1)
        snprintf(buf + strlen(buf), size - strlen(buf), "%s%s %s", *buf ? ", " : "", value, dtype);
}

/* "2.566 f32, 0.854 f64"; "" if it was not measured */
static const char *ulp(const char *name)
{
    static char buf[64];

    *buf = '\0';
    add_ulp(name, "f32", buf, sizeof buf);
    add_ulp(name, "f64", buf, sizeof buf);
    return buf;
}

/* Of a scalar program that is written out in its row. */
static const char *rounding(const prim *p)
{
    static const char *const rounds[] = {"ADD(", "SUB(", "MUL(", "DIV(", "SQRT(", "FMA("};
    int n = 0;

    for (size_t i = 0; i < sizeof rounds / sizeof *rounds; i++)
        for (const char *at = p->value; (at = strstr(at, rounds[i])) != NULL; at++)
            n++;
    if (n == 0 && strstr(p->facts, "IR_EXPENSIVE"))
        complain("its error is not in docs/ulp.md", p->name);
    return n == 0 ? "exact" : n == 1 ? "0.5" : "1.5";
}

/* ---- pointwise rows ------------------------------------------------------------------------------------ */

static const char *gradient(const prim *p)
{
    static char both[LINE];
    char x[LINE / 2], z[LINE / 2];

    if (!p->operands || strcmp(p->gradient_x, "NONE") == 0)
        return p->operands ? "none" : p->gradient_x;
    if (!formula(p->gradient_x, x, sizeof x) || (p->gradient_z && !formula(p->gradient_z, z, sizeof z)))
        complain("its gradient is not understood", p->name);
    snprintf(both, sizeof both, p->gradient_z ? "%s; %s" : "%s", x, z);
    return both;
}

static void row(FILE *out, prim *p)
{
    const char *error = ulp(p->name);

    fprintf(out, "| `%s` | %s | ", p->name, dtypes(p->types));
    text(out, p->formula, 1);
    fputs(" | ", out);
    text(out, gradient(p), 1);
    fputs(" | ", out);
    text(out, p->kink, 1);
    fprintf(out, " | %s |\n", *error ? error : rounding(p));
    p->seen = 1;
}

static void rows(FILE *out, const char *title, int operands)
{
    fprintf(out,
            "\n## %s\n\n| op | dtypes | value | gradient of each operand | at kinks and ties | max ulp |\n",
            title);
    fputs("|---|---|---|---|---|---|\n", out);
    for (int i = 0; i < PRIMS; i++)
        if (prims[i].operands == operands)
            row(out, &prims[i]);
}

/* ---- functions ----------------------------------------------------------------------------------------- */

/* The next function named in a call text: *at moves behind it; false: no more. */
static int next_name(const char **at, char name[64])
{
    const char *from = strstr(*at, "tdm_"), *end = from ? strchr(from, '(') : NULL;

    if (!end)
        return 0;
    snprintf(name, 64, "%.*s", (int)(end - from) - 4, from + 4);
    for (int depth = 0; *end; end++) { /* a call may be an argument */
        depth += (*end == '(') - (*end == ')');
        if (depth == 0)
            break;
    }
    *at = end;
    return 1;
}

static const char *name_of(const entry *e)
{
    static char name[64];
    const char *at = e->call;

    if (e->name)
        return e->name;
    if (at && next_name(&at, name))
        return name;
    return e->op ? e->op : "?";
}

static void fact(FILE *out, const char *name, const char *what, const char *s, int needed)
{
    if (needed && (!s || !*s))
        complain(what, name);
    if (!s || !*s)
        return;
    fprintf(out, "- %s: ", what);
    text(out, s, 0);
    fputs("\n", out);
}

static void function(FILE *out, const entry *e)
{
    prim *p = e->op ? prim_named(e->op) : NULL;
    const char *name = name_of(e), *error = ulp(name), *value = e->value ? e->value : p ? p->formula : NULL;

    fprintf(out, "\n### %s\n\n", name);
    if (e->call)
        fprintf(out, "`%s`\n\n", e->call);
    if (p) {
        fprintf(out, "- op: `%s`\n", p->name);
        p->seen = 1;
    }
    fact(out, name, "value", value, 1);
    fact(out, name, "shapes", e->shapes ? e->shapes : p ? p->shapes : NULL, 1);
    fact(out, name, "dtypes", e->dtypes ? e->dtypes : p ? dtypes(p->types) : NULL, 1);
    fact(out, name, "gradient", e->gradient ? e->gradient : p ? gradient(p) : NULL, 1);
    fact(out, name, "gradient at kinks and ties", p ? p->kink : NULL, 0);
    fact(out, name, "edges", e->edges, 0);
    if (*error)
        fprintf(out, "- largest error: %s ulp%s%s\n", error, e->accuracy ? "; " : "",
                e->accuracy ? e->accuracy : "");
    else
        fact(out, name, "accuracy", e->accuracy, 1);
    fact(out, name, "source", e->source, 0);
}

/* ---- pages --------------------------------------------------------------------------------------------- */

static void write_page(FILE *out, const page *g)
{
    fprintf(out,
            "# %s\n\n"
            "Generated from `ir/ops.def` and `docs/ops/%s.def` by `cmake --build build --target ops-table`;\n"
            "do not edit. [All ops](README.md), and what the words mean.\n\n"
            "%s\n",
            g->title, g->file, g->about);
    if (strcmp(g->file, "pointwise") == 0) {
        rows(out, "One operand", 1);
        rows(out, "Two operands", 2);
        rows(out, "With a condition", 3);
        fputs("\n## Others\n", out);
    }
    for (size_t i = 0; i < g->count; i++)
        function(out, &g->entries[i]);
}

typedef struct link {
    char name[64];
    const char *file;
    char anchor[64];
} link;

static link links[NAMES];
static int link_count;

static void add_link(const char *name, const char *file, const char *anchor)
{
    int at = 0;

    for (; at < link_count && strcmp(links[at].name, name) < 0; at++)
        ;
    if (at < link_count && strcmp(links[at].name, name) == 0)
        return;
    if (link_count == NAMES) {
        complain("too many functions", name);
        return;
    }
    memmove(links + at + 1, links + at, (size_t)(link_count - at) * sizeof *links);
    link_count++;
    links[at] = (link){.file = file};
    snprintf(links[at].name, sizeof links[at].name, "%s", name);
    snprintf(links[at].anchor, sizeof links[at].anchor, "%s", anchor);
}

static void collect_links(void)
{
    char name[64];

    for (int i = 0; i < PRIMS; i++) {
        if (!prims[i].operands || strcmp(prims[i].name, "stop_gradient") == 0)
            continue; /* tdm_detach */
        add_link(prims[i].name, "pointwise",
                 prims[i].operands == 1   ? "one-operand"
                 : prims[i].operands == 2 ? "two-operands"
                                          : "with-a-condition");
        snprintf(name, sizeof name, "%s_scalar", prims[i].name);
        if (prims[i].operands == 2)
            add_link(name, "pointwise", "two-operands");
    }
    for (int g = 0; g < PAGES; g++)
        for (size_t i = 0; i < pages[g].count; i++) {
            const char *at = pages[g].entries[i].call;
            while (at && next_name(&at, name))
                add_link(name, pages[g].file, name_of(&pages[g].entries[i]));
        }
}

static void write_index(FILE *out)
{
    fputs("# Ops\n\n"
          "Generated by `cmake --build build --target ops-table`; do not edit. Every public function that\n"
          "makes a tensor, and every primitive: formula, shapes, dtypes, gradient, what happens at kinks\n"
          "and edges, and its error. Parameters and errors are in the headers, `include/tandem/`.\n\n",
          out);
    for (int g = 0; g < PAGES; g++)
        fprintf(out, "- [%s](%s.md)\n", pages[g].title, pages[g].file);
    fputs("\n## Words\n\n"
          "`x`, `z` are operands (`p` a condition), `y` is the result, `dy` the gradient that arrives at\n"
          "it. A *primitive* is a row of `ir/ops.def`, whose gradient is a rule made of primitives; a\n"
          "function that names no op is a *composite* of them (`ir/compose_*.c`), whose gradient follows.\n"
          "Gradients flow through floats only. A gradient is given by its formula; what rounds where is the\n"
          "rule in `ir/ops.def` and `ir/vjp*.c`.\n\n"
          "In shapes, `[b.., m, k]` has any number of leading axes; a rank is at most 8. Two operands\n"
          "*broadcast* as in NumPy: aligned at the right, extents equal or 1.\n\n"
          "| dtypes | |\n"
          "|---|---|\n"
          "| any | number or bool |\n"
          "| number | integer or float |\n"
          "| integer | i8 i16 i32 i64 u8 u16 u32 u64 |\n"
          "| float | f16 bf16 f32 f64; halves compute in f32 and round ([numerics.md](../numerics.md)) |\n\n"
          "Operands have one dtype unless said; numbers among the parameters are rounded to it. *ulp* is\n"
          "the distance from the exact result in units in the last place of the result: 0.5 is correctly\n"
          "rounded, `exact` is 0. Figures with a dtype are measured ([ulp.md](../ulp.md)); *roundings* are\n"
          "half an ulp of their step each. Ops on integers are exact modulo 2^width.\n\n"
          "## All functions\n\n",
          out);
    for (int i = 0; i < link_count; i++)
        fprintf(out, "%s[%s](%s.md#%s)", i ? ",\n" : "", links[i].name, links[i].file, links[i].anchor);
    fputs("\n", out);
}

/* ---- files --------------------------------------------------------------------------------------------- */

static int read_measured(const char *path)
{
    FILE *f = fopen(path, "r");

    if (!f)
        return 0;
    measured[fread(measured, 1, sizeof measured - 1, f)] = '\0';
    fclose(f);
    return 1;
}

static FILE *create(const char *folder, const char *name)
{
    char path[LINE];

    snprintf(path, sizeof path, "%s/%s.md", folder, name);
    FILE *f = fopen(path, "w");
    if (!f)
        complain("cannot be written", path);
    return f;
}

static void write_all(const char *folder)
{
    for (int g = -1; g < PAGES; g++) {
        FILE *out = create(folder, g < 0 ? "README" : pages[g].file);
        if (!out)
            return;
        if (g < 0)
            write_index(out);
        else
            write_page(out, &pages[g]);
        if (fclose(out) != 0)
            complain("cannot be written", folder);
    }
    for (int i = 0; i < PRIMS; i++)
        if (!prims[i].seen)
            complain("no page has this op", prims[i].name);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--functions") == 0) {
        collect_links();
        for (int i = 0; i < link_count; i++)
            puts(links[i].name);
        return failures != 0;
    }
    if (argc != 3 || !read_measured(argv[1])) {
        fprintf(stderr, "usage: gen-ops docs/ulp.md FOLDER | --functions\n");
        return 2;
    }
    collect_links();
    write_all(argv[2]);
    return failures != 0;
}
