/* scripts/gen_ops.c: prints docs/ops.md from ir/ops.def and the errors measured in docs/ulp.md: the table in
 * the docs can't drift from the code.
 *
 *   OP_UNARY(tanh, IR_EXPENSIVE, D_FLOAT, .., "hyperbolic tangent", CALL1(tanh, x), mul(dy, ..), "")
 *   ->  | `tanh` | float | hyperbolic tangent | `mul(dy, ..)` | |
 *
 * Built by `cmake --build build --target ops-table`, which rewrites the file; a test compares it. */
#include <stdio.h>
#include <string.h>

/* The formula and kink texts may hold what Markdown would take as a column. */
static void cell(const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            putchar('\\');
        putchar(*text);
    }
}

static void dtypes(const char *set)
{
    static const char *const names[][2] = {{"D_ANY", "any"},     {"D_NUM", "number"},
                                           {"D_FLOAT", "float"}, {"D_INT", "integer"},
                                           {"D_BOOL", "bool"},   {"D_BITS", "integer, bool"}};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(set, names[i][0]) == 0)
            set = names[i][1];
    if (strncmp(set, "D_(", 3) == 0)
        printf("%.*s", (int)strlen(set) - 4, set + 3);
    else
        fputs(set, stdout);
}

static char measured[1 << 16]; /* docs/ulp.md */

/* False: no such file. */
static int read_measured(const char *path)
{
    FILE *f = fopen(path, "r");

    if (!f)
        return 0;
    measured[fread(measured, 1, sizeof measured - 1, f)] = '\0';
    fclose(f);
    return 1;
}

/* The fourth cell of the line `| name | dtype | inputs | ulp | at |`; nothing for ops without a program. */
static void ulp(const char *name, const char *dtype, const char *before)
{
    char key[64], value[16];

    snprintf(key, sizeof key, "\n| %s | %s |", name, dtype);
    const char *at = strstr(measured, key);
    if (at && sscanf(at + strlen(key), "%*[^|]| %15s", value) == 1)
        printf("%s%s %s", before, value, dtype);
}

static void row(const char *name, const char *types, const char *formula, const char *grad, const char *kink)
{
    printf("| `%s` | ", name);
    dtypes(types);
    fputs(" | ", stdout);
    cell(formula);
    fputs(" | ", stdout);
    cell(grad);
    fputs(" | ", stdout);
    cell(kink);
    fputs(" | ", stdout);
    ulp(name, "f32", "");
    ulp(name, "f64", ", ");
    puts(" |");
}

/* One operand's rule in code style; NONE means that no gradient flows. */
static const char *rule(const char *x, const char *z)
{
    static char text[512];
    if (strcmp(x, "NONE") == 0)
        return "none";
    if (z == NULL)
        snprintf(text, sizeof text, "`%s`", x);
    else
        snprintf(text, sizeof text, "`%s`; `%s`", x, z);
    return text;
}

static const char *named_rule(const char *vjp)
{
    static char text[64];
    if (strcmp(vjp, "none") == 0)
        return "none";
    snprintf(text, sizeof text, "rule `%s`", vjp);
    return text;
}

static void section(const char *title)
{
    printf("\n## %s\n\n| op | dtypes | value | gradient of each operand | at kinks and ties | max ulp |\n",
           title);
    puts("|---|---|---|---|---|---|");
}

int main(int argc, char **argv)
{
    if (argc != 2 || !read_measured(argv[1])) {
        fprintf(stderr, "usage: gen-ops docs/ulp.md\n");
        return 2;
    }
    puts(
        "# Ops\n\n"
        "Generated from `ir/ops.def` by `cmake --build build --target ops-table`; do not edit.\n\n"
        "`x`, `z` are operands (`p` a condition), `y` the result, `dy` its gradient. Rules are written with\n"
        "the emit helpers of `ir/emit.h`; `k(v, c)` is the constant `c` of `v`'s type. Longer rules are\n"
        "functions in `ir/vjp*.c`. Operands and result of a pointwise op have one shape (the public\n"
        "functions broadcast, as NumPy does). The last column is the largest error measured\n"
        "([ulp.md](ulp.md)); ops without it round as [numerics.md](numerics.md) says.");

    section("Pointwise, one operand");
#define OP_UNARY(name, facts, types, lo, hi, flops, saves, formula, VALUE, GRAD, kink) \
    row(#name, #types, formula, rule(#GRAD, NULL), kink);
#include "ir/ops.def"
#undef OP_UNARY

    section("Pointwise, two operands");
#define OP_BINARY(name, facts, types, lo, hi, flops, saves, formula, VALUE, GRADX, GRADZ, kink) \
    row(#name, #types, formula, rule(#GRADX, #GRADZ), kink);
#include "ir/ops.def"
#undef OP_BINARY

    section("Pointwise with a condition");
#define OP_SELECT(name, facts, types, lo, hi, flops, saves, formula, VALUE, GRADX, GRADZ, kink) \
    row(#name, #types, formula, rule(#GRADX, #GRADZ), kink);
#include "ir/ops.def"
#undef OP_SELECT

    section("Leaves, views, reductions, products, indexing");
#define OP_OTHER(name, cls, arity, facts, types, lo, hi, flops, saves, formula, vjp, kink) \
    row(#name, #types, formula, named_rule(#vjp), kink);
#include "ir/ops.def"
#undef OP_OTHER
    return 0;
}
