/* ir/compose_einsum.c: Einstein's summation (compose.h).
 *
 *   "bij,bjk->bik"   products over shared labels, summed where the output lacks the label
 *   "ii->i"          a repeated label of one operand is its diagonal
 *   "...ij->...ji"   the ellipsis stands for the axes that are not named, aligned at the right, broadcasting
 *   "ij,jk"          without an arrow: the ellipsis, then the labels that occur once, in alphabetical order
 *
 * Operands are contracted from left to right.  Each step is one dot_general: labels in both operands that are
 * needed later are batch axes, those that are not are contracted; a label of one operand alone that nobody
 * needs is summed first.  Where nothing is contracted it is a broadcast product.  Orders of additions:
 * numerics.md rules 4 and 5. */
#include "ir/compose.h"
#include "ir/compose_check.h"
#include "ir/emit.h"

#include <string.h>

enum { TEXT = 160, LETTERS = 52, LABELS = LETTERS + IR_MAX_RANK }; /* LETTERS + i: axis i of the ellipsis */

typedef struct term {
    ir_val v;
    int n;
    int8_t labels[IR_MAX_RANK]; /* of v's axes */
} term;

typedef struct sum {
    ir_sink *s;
    const char *equation;
    int count; /* operands */
    term in[IR_MAX_OPERANDS], out;
    int ellipsis;           /* axes of the widest ellipsis */
    int64_t extent[LABELS]; /* 0: the label is not used */
    int uses[LABELS];       /* how often it is written */
    bool arrow;
} sum;

static char *label_text(int label, char buf[8])
{
    if (label >= LETTERS) {
        return memcpy(buf, "...", 4);
    }
    buf[0] = (char)(label < 26 ? 'a' + label : 'A' + label - 26);
    buf[1] = 0;
    return buf;
}

static bool refuse(const sum *e, const char *what, int label)
{
    char buf[8];

    ir_fail(e->s->err, IR_EARG, "einsum \"%.80s\": %s%s%s%s", e->equation, what, label < 0 ? "" : " '",
            label < 0 ? "" : label_text(label, buf), label < 0 ? "" : "'");
    return false;
}

/* ---- the equation ------------------------------------------------------------------------------------- */

static int letter(char c)
{
    return c >= 'a' && c <= 'z' ? c - 'a' : c >= 'A' && c <= 'Z' ? c - 'A' + 26 : -1;
}

/* One list of labels up to ',' '-' or the end; `rank` axes of which the ellipsis takes what is left (rank <
 * 0: the output, whose ellipsis has e->ellipsis axes). */
static bool read_labels(sum *e, const char **at, int rank, term *t)
{
    const char *p = *at;
    int named = 0, dots = -1;

    for (; *p && *p != ',' && *p != '-'; p++) {
        if (*p == '.' && dots < 0 && p[1] == '.' && p[2] == '.') {
            dots = named;
            p += 2;
        } else if (letter(*p) >= 0 && named < IR_MAX_RANK) {
            t->labels[named++] = (int8_t)letter(*p);
        } else if (*p != ' ') {
            return refuse(e, "expected letters, one '...' per operand, ',' and '->'", -1);
        }
    }
    int rest = dots < 0 ? 0 : rank < 0 ? e->ellipsis : rank - named;
    if (rest < 0 || named + rest > IR_MAX_RANK || (rank >= 0 && named + rest != rank)) {
        char text[TEXT];
        ir_fail(e->s->err, IR_ESHAPE, "einsum \"%.80s\": %d labels for %s", e->equation, named,
                rank < 0 ? "the output" : ir_type_text(e->s->type(e->s, t->v), NULL, text, TEXT));
        return false;
    }
    if (rest) {
        memmove(t->labels + dots + rest, t->labels + dots, (size_t)(named - dots));
    }
    /* Axes of an ellipsis are aligned at the right: the last one is LETTERS + IR_MAX_RANK - 1. */
    for (int i = 0; i < rest; i++) {
        t->labels[dots + i] = (int8_t)(LABELS - rest + i);
    }
    e->ellipsis = rest > e->ellipsis ? rest : e->ellipsis;
    t->n = named + rest;
    *at = p;
    return true;
}

static bool note_extents(sum *e, const term *t)
{
    char text[TEXT], buf[8];
    ir_type x = ir_c_type(e->s, t->v);

    for (int i = 0; i < t->n; i++) {
        int64_t *have = &e->extent[t->labels[i]], d = x.dims[i];
        bool open = t->labels[i] >= LETTERS && (*have == 1 || d == 1);
        e->uses[t->labels[i]]++;
        if (*have && *have != d && !open) {
            ir_fail(e->s->err, IR_ESHAPE, "einsum \"%.80s\": label '%s' is %lld, but axis %d of %s is %lld",
                    e->equation, label_text(t->labels[i], buf), (long long)*have, i,
                    ir_type_text(&x, NULL, text, TEXT), (long long)d);
            return false;
        }
        *have = *have > d ? *have : d;
    }
    return true;
}

/* Without an arrow: the ellipsis and the labels written once. */
static bool implicit_output(sum *e)
{
    for (int l = LABELS - e->ellipsis; l < LABELS; l++) {
        e->out.labels[e->out.n++] = (int8_t)l;
    }
    for (int c = 'A'; c <= 'z'; c++) {
        int l = letter((char)c);
        if (l >= 0 && e->uses[l] == 1) {
            if (e->out.n == IR_MAX_RANK) {
                return refuse(e, "the output has too many axes", -1);
            }
            e->out.labels[e->out.n++] = (int8_t)l;
        }
    }
    return true;
}

static bool explicit_output(sum *e, const char *p)
{
    unsigned char seen[LABELS] = {0};

    if (!read_labels(e, &p, -1, &e->out)) {
        return false;
    }
    if (*p) {
        return refuse(e, "the output is one list of labels", -1);
    }
    for (int i = 0; i < e->out.n; i++) {
        int l = e->out.labels[i];
        if (!e->extent[l]) {
            return refuse(e, "no operand has the output's label", l);
        }
        if (seen[l]++) {
            return refuse(e, "the output holds twice the label", l);
        }
    }
    return true;
}

static bool read_equation(sum *e, const ir_val *x)
{
    const char *p = e->equation;

    for (int i = 0; i < e->count; i++) {
        e->in[i].v = x[i];
        if (!read_labels(e, &p, e->s->type(e->s, x[i])->rank, &e->in[i]) || !note_extents(e, &e->in[i])) {
            return false;
        }
        if (i + 1 < e->count && *p++ != ',') {
            return refuse(e, "it names fewer operands than there are", -1);
        }
    }
    if (*p == ',') {
        return refuse(e, "it names more operands than there are", -1);
    }
    if (*p == 0) {
        return implicit_output(e);
    }
    return p[1] == '>' ? explicit_output(e, p + 2) : refuse(e, "expected '->' behind the operands", -1);
}

/* ---- steps -------------------------------------------------------------------------------------------- */

static int find(const term *t, int label, int from)
{
    for (int i = from; i < t->n; i++) {
        if (t->labels[i] == label) {
            return i;
        }
    }
    return -1;
}

/* A label that occurs twice: its diagonal, whose axis comes last. */
static void take_diagonals(sum *e, term *t)
{
    for (int i = 0; i < t->n; i++) {
        int j = find(t, t->labels[i], i + 1);
        if (j >= 0) {
            int8_t label = t->labels[i];
            t->v = ir_c_diagonal(e->s, t->v, 0, i, j);
            memmove(t->labels + j, t->labels + j + 1, (size_t)(t->n - j - 1));
            memmove(t->labels + i, t->labels + i + 1, (size_t)(t->n - i - 2));
            t->labels[t->n - 2] = label;
            t->n--;
            i = -1;
        }
    }
}

static bool needed(const sum *e, int label, int next)
{
    bool is = find(&e->out, label, 0) >= 0;

    for (int i = next; i < e->count; i++) {
        is |= find(&e->in[i], label, 0) >= 0;
    }
    return is;
}

/* Sums the axes whose labels neither `other` nor what comes from operand `next` on has. */
static void sum_unneeded(sum *e, term *t, const term *other, int next)
{
    int axes[IR_MAX_RANK], count = 0, kept = 0;

    for (int i = 0; i < t->n; i++) {
        if (needed(e, t->labels[i], next) || (other && find(other, t->labels[i], 0) >= 0)) {
            t->labels[kept++] = t->labels[i];
        } else {
            axes[count++] = i;
        }
    }
    t->n = kept;
    t->v = ir_e_reduce(e->s, IR_reduce_sum, t->v, axes, count, false);
}

/* t with its axes in the order of `labels`, extents of 1 for those it lacks. */
static ir_val arranged(sum *e, const term *t, const int8_t *labels, int n)
{
    int perm[IR_MAX_RANK], count = 0;
    int64_t dims[IR_MAX_RANK];

    if (!t->v) {
        return 0;
    }
    ir_type x = ir_c_type(e->s, t->v);
    for (int i = 0; i < n; i++) {
        int at = find(t, labels[i], 0);
        dims[i] = at < 0 ? 1 : x.dims[at];
        if (at >= 0) {
            perm[count++] = at;
        }
    }
    return ir_e_reshape(e->s, ir_e_transpose(e->s, t->v, perm), n, dims);
}

/* Shared axes of an ellipsis may have an extent of 1 on one side. */
static void widen(sum *e, term *t, const term *other)
{
    if (!t->v) {
        return;
    }
    ir_type x = ir_c_type(e->s, t->v);
    for (int i = 0; i < t->n; i++) {
        x.dims[i] = find(other, t->labels[i], 0) >= 0 ? e->extent[t->labels[i]] : x.dims[i];
    }
    t->v = ir_e_broadcast(e->s, t->v, x.rank, x.dims);
}

/* a * b over the union of their labels, nothing summed. */
static void multiply(sum *e, term *a, const term *b)
{
    term y = *a;

    for (int i = 0; i < b->n; i++) {
        if (find(a, b->labels[i], 0) < 0 && y.n < IR_MAX_RANK) {
            y.labels[y.n++] = b->labels[i];
        }
    }
    ir_val x = arranged(e, a, y.labels, y.n), z = arranged(e, b, y.labels, y.n);
    y.v = ir_e_broadcast_pair(e->s, "einsum", &x, &z) ? ir_e_mul(e->s, x, z) : 0;
    *a = y;
}

static bool rank_fits(const sum *e, const term *a, const term *b)
{
    int n = a->n;

    for (int i = 0; i < b->n; i++) {
        n += find(a, b->labels[i], 0) < 0;
    }
    return n <= IR_MAX_RANK || refuse(e, "a product has more than 8 axes", -1);
}

/* *a = a b, where labels of both that are not needed from operand `next` on are contracted. */
static bool contract(sum *e, term *a, term *b, int next)
{
    ir_attrs at = {0};
    term y = {0};

    sum_unneeded(e, a, b, next);
    sum_unneeded(e, b, a, next);
    widen(e, a, b);
    widen(e, b, a);
    if (!a->v || !b->v || !rank_fits(e, a, b)) {
        return false;
    }
    for (int i = 0; i < a->n; i++) {
        int j = find(b, a->labels[i], 0);
        if (j >= 0 && needed(e, a->labels[i], next)) {
            at.dot.lhs_batch[at.n] = (int8_t)i;
            at.dot.rhs_batch[at.n++] = (int8_t)j;
            y.labels[y.n++] = a->labels[i];
        } else if (j >= 0) {
            at.dot.lhs_k[at.nk] = (int8_t)i;
            at.dot.rhs_k[at.nk++] = (int8_t)j;
        }
    }
    if (at.nk == 0) {
        multiply(e, a, b);
        return a->v != 0;
    }
    for (int i = 0; i < a->n + b->n; i++) {
        const term *t = i < a->n ? a : b, *other = i < a->n ? b : a;
        int l = t->labels[i < a->n ? i : i - a->n];
        if (find(other, l, 0) < 0) {
            y.labels[y.n++] = (int8_t)l;
        }
    }
    y.v = ir_e_dot(e->s, a->v, b->v, &at);
    *a = y;
    return y.v != 0;
}

static ir_val evaluate(sum *e)
{
    for (int i = 0; i < e->count; i++) {
        take_diagonals(e, &e->in[i]);
    }
    term y = e->in[0];
    for (int i = 1; i < e->count; i++) {
        if (!contract(e, &y, &e->in[i], i + 1)) {
            return 0;
        }
    }
    sum_unneeded(e, &y, NULL, e->count);
    return arranged(e, &y, e->out.labels, e->out.n);
}

ir_val ir_c_einsum(ir_sink *s, const char *equation, const ir_val *x, int n)
{
    const char *outer = ir_c_open(s, "einsum");
    sum e = {.s = s, .equation = equation ? equation : "", .count = n};
    bool ok = n >= 1 && n <= IR_MAX_OPERANDS;

    if (!ok) {
        ir_fail(s->err, IR_EARG, "einsum: %d operands, expected 1 to %d", n, IR_MAX_OPERANDS);
    }
    for (int i = 0; i < n && ok; i++) {
        ok = x[i] && (i == 0 || ir_c_same_dtype(s, "einsum", x[0], x[i]));
        if (ok && !ir_type_is_static(s->type(s, x[i]))) {
            ok = ir_c_misfit(s, "einsum", "symbolic extents must be known here", x[0], x[i]);
        }
    }
    return ir_c_close(s, outer, ok && read_equation(&e, x) ? evaluate(&e) : 0);
}

/* ---- products with names of their own ----------------------------------------------------------------- */

ir_val ir_c_outer(ir_sink *s, ir_val x, ir_val z)
{
    const char *outer = ir_c_open(s, "outer");
    ir_val y = 0;

    if (ir_c_same_dtype(s, "outer", x, z)) {
        ir_type tx = ir_c_type(s, x), tz = ir_c_type(s, z);
        if (tx.rank != 1 || tz.rank != 1) {
            ir_c_misfit(s, "outer", "two vectors are needed", x, z);
        } else {
            const int64_t dims[2] = {tx.dims[0], tz.dims[0]};
            x = ir_e_broadcast(s, ir_e_reshape(s, x, 2, (const int64_t[]){dims[0], 1}), 2, dims);
            y = ir_e_mul(s, x, ir_e_broadcast(s, z, 2, dims));
        }
    }
    return ir_c_close(s, outer, y);
}

ir_val ir_c_bmm(ir_sink *s, ir_val a, ir_val b)
{
    const char *outer = ir_c_open(s, "bmm");
    ir_val y = 0;

    if (ir_c_same_dtype(s, "bmm", a, b)) {
        ir_type ta = ir_c_type(s, a), tb = ir_c_type(s, b);
        bool fits = ta.rank == 3 && tb.rank == 3 && ta.dims[0] == tb.dims[0] && ta.dims[2] == tb.dims[1];
        y = fits ? ir_c_matmul(s, a, b) : 0;
        if (!fits) {
            ir_c_misfit(s, "bmm", "[b, m, k] and [b, k, n] are needed", a, b);
        }
    }
    return ir_c_close(s, outer, y);
}
