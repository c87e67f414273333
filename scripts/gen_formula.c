/* scripts/gen_formula.c: reads a GRAD column of ops.def and writes it as mathematics (gen_formula.h).
 *
 *   neg(mul(dy, sin(x)))                             ->  -dy sin(x)
 *   mul(dy, mul(k(y, -0.5), mul(y, mul(y, y))))      ->  -0.5 dy y^3
 *   select(gt(y, k(y, 0)), dy, k(dy, 0))             ->  y > 0 ? dy : 0
 *
 * Factors of a product are gathered, numbers first: what is shown is the value, not the order of rounding. */
#include "scripts/gen_formula.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { NODES = 96, ARGS = 3, NAME = 24, FACTORS = 12 };

typedef struct node {
    char name[NAME]; /* of a function, an operand or, if it is one, a number */
    int n, arg[ARGS];
} node;

typedef struct reader {
    const char *at;
    node nodes[NODES];
    int count, bad;
    char *out;
    size_t room;
} reader;

/* ---- reading ------------------------------------------------------------------------------------------- */

static void skip(reader *r)
{
    while (isspace((unsigned char)*r->at))
        r->at++;
}

static int parse(reader *r)
{
    int self = r->count++;
    node *n = &r->nodes[self];
    size_t length = 0;

    if (self >= NODES - 1) {
        r->bad = 1;
        return 0;
    }
    *n = (node){.n = 0};
    skip(r);
    while (isalnum((unsigned char)*r->at) || (*r->at && strchr("_.-", *r->at))) {
        r->bad |= length >= NAME - 1;
        n->name[r->bad ? 0 : length++] = *r->at++;
    }
    skip(r);
    if (*r->at != '(')
        return self;
    do {
        r->at++;
        if (n->n == ARGS || r->bad) {
            r->bad = 1;
            return self;
        }
        n->arg[n->n] = parse(r);
        n->n++;
        skip(r);
    } while (*r->at == ',');
    r->bad |= *r->at != ')';
    r->at += *r->at == ')';
    return self;
}

/* ---- writing ------------------------------------------------------------------------------------------- */

/* How tightly the parts of a formula hold together. */
enum { CHOICE, COMPARE, SUM, PRODUCT, POWER, ATOM };

static void put(reader *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void put(reader *r, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(r->out, r->room, fmt, args);
    va_end(args);
    if (n < 0 || (size_t)n >= r->room) {
        r->bad = 1;
        return;
    }
    r->out += n;
    r->room -= (size_t)n;
}

static int is(const node *n, const char *name)
{
    return strcmp(n->name, name) == 0;
}

/* Constants that have a name. */
static const char *number(const char *text)
{
    static const char *const named[][2] = {{"0.6931471805599453", "log(2)"},
                                           {"1.1283791670955126", "(2 / sqrt(pi))"}};

    for (size_t i = 0; i < sizeof named / sizeof *named; i++)
        if (strcmp(text, named[i][0]) == 0)
            return named[i][1];
    return text;
}

static const char *infix(const node *n)
{
    static const char *const words[][2] = {
        {"eq", " = "}, {"gt", " > "}, {"lt", " < "}, {"ge", " >= "}, {"and", " and "}};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (is(n, words[i][0]))
            return words[i][1];
    return NULL;
}

static int tightness(const node *n)
{
    return is(n, "select")                      ? CHOICE
           : infix(n)                           ? COMPARE
           : is(n, "add") || is(n, "sub")       ? SUM
           : is(n, "mul") || is(n, "div")       ? PRODUCT
           : is(n, "neg") || is(n, "by_square") ? PRODUCT
           : is(n, "pow")                       ? POWER
                                                : ATOM;
}

static void write_node(reader *r, int i, int least);

static int same(const reader *r, int a, int b)
{
    const node *x = &r->nodes[a], *z = &r->nodes[b];

    if (x->n != z->n || !is(x, z->name))
        return 0;
    for (int k = 0; k < x->n; k++)
        if (!same(r, x->arg[k], z->arg[k]))
            return 0;
    return 1;
}

/* Factors of nested products, a sign taken out of them. */
static void gather(const reader *r, int i, int *list, int *n, int *minus)
{
    const node *p = &r->nodes[i];

    if (is(p, "mul")) {
        gather(r, p->arg[0], list, n, minus);
        gather(r, p->arg[1], list, n, minus);
    } else if (is(p, "neg")) {
        *minus ^= 1;
        gather(r, p->arg[0], list, n, minus);
    } else if (*n < FACTORS) {
        list[(*n)++] = i;
    }
}

static void write_product(reader *r, int i)
{
    int list[FACTORS], n = 0, minus = 0;
    const char *gap = "";

    gather(r, i, list, &n, &minus);
    put(r, minus ? "-" : "");
    for (int numbers = 1; numbers >= 0; numbers--)
        for (int k = 0; k < n; k++) {
            int count = 1;
            if (is(&r->nodes[list[k]], "k") != numbers)
                continue;
            while (k + count < n && same(r, list[k], list[k + count]))
                count++;
            put(r, "%s", gap);
            write_node(r, list[k], count > 1 ? ATOM : n == 1 ? PRODUCT : POWER);
            if (count > 1)
                put(r, "^%d", count);
            k += count - 1;
            gap = " ";
        }
}

static void write_pair(reader *r, const node *n, const char *between, int left, int right)
{
    write_node(r, n->arg[0], left);
    put(r, "%s", between);
    write_node(r, n->arg[1], right);
}

static void write_call(reader *r, const node *n)
{
    put(r, "%s", n->name);
    for (int k = 0; k < n->n; k++) {
        put(r, k ? ", " : "(");
        write_node(r, n->arg[k], CHOICE);
    }
    put(r, n->n ? ")" : "");
}

static void write_bare(reader *r, int i)
{
    const node *n = &r->nodes[i];

    if (is(n, "k")) {
        put(r, "%s", number(r->nodes[n->arg[1]].name));
    } else if (is(n, "by_square")) {
        write_node(r, n->arg[0], PRODUCT);
        put(r, " / (%s^2 + %s^2)", r->nodes[n->arg[1]].name, r->nodes[n->arg[2]].name);
    } else if (is(n, "select")) {
        write_pair(r, n, " ? ", COMPARE, SUM);
        put(r, " : ");
        write_node(r, n->arg[2], CHOICE);
    } else if (infix(n)) {
        write_pair(r, n, infix(n), is(n, "and") ? COMPARE : SUM, is(n, "and") ? COMPARE : SUM);
    } else if (is(n, "add")) {
        write_pair(r, n, " + ", SUM, SUM);
    } else if (is(n, "sub")) {
        write_pair(r, n, " - ", SUM, PRODUCT);
    } else if (is(n, "div")) {
        write_pair(r, n, " / ", PRODUCT, POWER);
    } else if (is(n, "mul") || is(n, "neg")) {
        write_product(r, i);
    } else if (is(n, "pow")) {
        write_pair(r, n, "^", ATOM, ATOM);
    } else {
        write_call(r, n);
    }
}

/* In brackets if it holds together less than `least`. */
static void write_node(reader *r, int i, int least)
{
    int brackets = tightness(&r->nodes[i]) < least;

    put(r, brackets ? "(" : "");
    write_bare(r, i);
    put(r, brackets ? ")" : "");
}

int formula(const char *rule, char *buf, size_t size)
{
    static reader r;

    r = (reader){.at = rule, .out = buf, .room = size};
    int root = parse(&r);
    skip(&r);
    if (!r.bad && !*r.at)
        write_node(&r, root, CHOICE);
    return !r.bad && !*r.at;
}
