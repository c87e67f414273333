/* runtime/checkpoint.c: checkpointed regions of the eager engine: values are dropped and computed again.
 *
 *   open; h = exp(x); y = sin(h); close(y)     log: h = exp(x)  y = sin(h)      the tape of y holds no h
 *   backward of y                              h = exp(x) again, then dh = dy * cos(h)
 *
 * While a region is open every op goes into its log: op, attributes and operands, those from outside held
 * with the version they had.  Closing drops what the region's tape nodes saved and nobody else holds, and
 * from the log what is not needed to make it again.  The first node whose gradient reads such a value runs
 * the log; each node takes what it saved, and a value goes with its last taker.  The same ops on the same
 * operands (the random state is one) give the same bits. */
#include "runtime/eager.h"

#include <string.h>

typedef struct logged {
    ir_op op;
    ir_attrs *attrs; /* NULL: none */
    ir_loc loc;
    int n;
    tdm_tensor *outer[IR_MAX_OPERANDS]; /* operand from outside, held; NULL: of the log, entry inner[i] */
    uint32_t version[IR_MAX_OPERANDS], inner[IR_MAX_OPERANDS];
    uint32_t takers;    /* saved slots that are empty for now */
    uint32_t last_read; /* the last entry that needs this one */
    bool needed;
    tdm_tensor *value; /* between the run of the log and the last taker */
} logged;

struct rt_checkpoint {
    uint64_t serial; /* tensors made in the region carry it */
    uint32_t refs;   /* tape nodes with empty slots, and the context while it is open */
    logged *log;
    uint32_t count, capacity;
    rt_tape_node **nodes; /* recorded while it is open; held */
    uint32_t node_count, node_capacity;
    bool run;
    uint64_t checked; /* the backward that last checked the versions */
};

/* Room for one more of `count` items; NULL when out of memory. */
static void *grow(rt_context *c, void *items, uint32_t count, uint32_t *capacity, size_t size)
{
    uint32_t n = *capacity ? *capacity * 2 : 32;
    void *more;

    if (count < *capacity) {
        return items;
    }
    more = rt_block_get(c, n * size);
    if (more && items) {
        memcpy(more, items, count * size);
        rt_block_put(c, items, *capacity * size);
    }
    *capacity = more ? n : *capacity;
    return more;
}

void rt_checkpoint_open(rt_context *c)
{
    rt_checkpoint *k = rt_block_get(c, sizeof *k);

    if (k) {
        *k = (rt_checkpoint){.serial = ++c->caches->checkpoints, .refs = 1};
    }
    c->checkpoint = k;
}

/* ---- the log ----------------------------------------------------------------------------------------- */

static void forget(rt_context *c, logged *l)
{
    for (int i = 0; i < l->n; i++) {
        rt_release(l->outer[i]);
        l->outer[i] = NULL;
    }
    if (l->attrs) {
        rt_block_put(c, l->attrs, sizeof *l->attrs);
    }
    l->attrs = NULL;
    rt_release(l->value);
    l->value = NULL;
}

static bool fill(rt_context *c, logged *l, const ir_attrs *a, tdm_tensor *const *x, int n)
{
    l->n = n;
    if (a) {
        l->attrs = rt_block_get(c, sizeof *a);
        if (!l->attrs) {
            return false;
        }
        *l->attrs = *a;
    }
    for (int i = 0; i < n; i++) {
        if (x[i]->made_in == c->checkpoint->serial) {
            l->inner[i] = x[i]->made_at;
            continue;
        }
        l->outer[i] = rt_alias_at(x[i], &x[i]->a);
        if (!l->outer[i]) {
            return false;
        }
        l->outer[i]->loc = x[i]->loc;
        l->version[i] = x[i]->storage->version;
    }
    return true;
}

bool rt_checkpoint_log(rt_context *c, ir_op op, const ir_attrs *a, tdm_tensor *const *x, int n, tdm_tensor *y)
{
    rt_checkpoint *k = c->checkpoint;
    logged *log, *l;

    if (ir_ops[op].cls == IR_LEAF) { /* its data may be gone by then: y is held instead */
        return true;
    }
    log = grow(c, k->log, k->count, &k->capacity, sizeof *log);
    if (!log) {
        return false;
    }
    k->log = log;
    l = &log[k->count];
    *l = (logged){.op = op, .loc = c->sink.loc};
    if (!fill(c, l, a, x, n)) {
        forget(c, l);
        return false;
    }
    y->made_in = k->serial;
    y->made_at = k->count++;
    return true;
}

bool rt_checkpoint_note(rt_context *c, rt_tape_node *n)
{
    rt_checkpoint *k = c->checkpoint;
    rt_tape_node **nodes = grow(c, k->nodes, k->node_count, &k->node_capacity, sizeof(rt_tape_node *));

    if (!nodes) {
        return false;
    }
    k->nodes = nodes;
    k->nodes[k->node_count++] = n;
    n->refs++;
    return true;
}

/* ---- closing ----------------------------------------------------------------------------------------- */

static tdm_tensor *own_slot(const rt_checkpoint *k, const rt_tape_node *n, int i)
{
    tdm_tensor *s = n->saved[i];

    return s && s->storage && s->made_in == k->serial ? s : NULL;
}

/* Empties the slots of the region's nodes whose storages are held by nothing but such slots. */
static void empty_slots(rt_checkpoint *k)
{
    for (uint32_t j = 0; j < k->node_count; j++) {
        for (int i = 0; i <= k->nodes[j]->n; i++) {
            tdm_tensor *s = own_slot(k, k->nodes[j], i);

            if (s) {
                s->storage->slots++;
            }
        }
    }
    for (uint32_t j = 0; j < k->node_count; j++) {
        rt_tape_node *n = k->nodes[j];

        for (int i = 0; i <= n->n; i++) {
            tdm_tensor *s = own_slot(k, n, i);

            if (s && s->storage->refs == s->storage->slots) {
                s->storage->slots--;
                k->log[s->made_at].takers++;
                k->refs += !n->empty;
                n->empty |= (uint16_t)(1u << i);
                n->checkpoint = k;
                rt_drop_storage(s);
            } else if (s) {
                s->storage->slots--; /* refs is larger: it stays so */
            }
        }
    }
}

/* What has to be computed to fill the slots again, and how long each value is read. */
static void find_needed(rt_context *c, rt_checkpoint *k)
{
    for (uint32_t j = k->count; j-- > 0;) {
        logged *l = &k->log[j];

        l->needed |= l->takers > 0;
        for (int i = 0; l->needed && i < l->n; i++) {
            logged *x = &k->log[l->inner[i]];

            if (!l->outer[i]) {
                x->last_read = x->needed ? x->last_read : j;
                x->needed = true;
            }
        }
        if (!l->needed) {
            forget(c, l);
        }
    }
}

static void release(rt_context *c, rt_checkpoint *k)
{
    if (--k->refs) {
        return;
    }
    for (uint32_t j = 0; j < k->count; j++) {
        forget(c, &k->log[j]);
    }
    if (k->log) {
        rt_block_put(c, k->log, k->capacity * sizeof *k->log);
    }
    rt_block_put(c, k, sizeof *k);
}

void rt_checkpoint_close(rt_context *c)
{
    rt_checkpoint *k = c->checkpoint;

    c->checkpoint = NULL;
    if (!k) {
        return;
    }
    empty_slots(k);
    find_needed(c, k);
    for (uint32_t j = 0; j < k->node_count; j++) {
        rt_node_release(c, k->nodes[j]);
    }
    if (k->nodes) {
        rt_block_put(c, k->nodes, k->node_capacity * sizeof(rt_tape_node *));
    }
    k->nodes = NULL;
    release(c, k);
}

/* ---- computing again --------------------------------------------------------------------------------- */

ir_status rt_checkpoint_check(rt_context *c, rt_checkpoint *k)
{
    if (k->run || k->checked == c->caches->run) {
        return IR_OK;
    }
    k->checked = c->caches->run;
    for (uint32_t j = 0; j < k->count; j++) {
        const logged *l = &k->log[j];

        for (int i = 0; i < l->n; i++) {
            const tdm_tensor *t = l->outer[i];
            char type[128];

            if (t && t->storage->version != l->version[i]) {
                return ir_fail(&c->error, IR_ESTATE,
                               "backward: tensor %s, read by %s in a checkpointed region (%s:%u), was "
                               "changed in place by assign (%s:%u): expected version %u, found %u",
                               ir_type_text(&t->a.type, NULL, type, sizeof type), ir_ops[l->op].name,
                               l->loc.file ? l->loc.file : "?", (unsigned)l->loc.line,
                               t->storage->changed.file ? t->storage->changed.file : "?",
                               (unsigned)t->storage->changed.line, l->version[i], t->storage->version);
            }
        }
    }
    return IR_OK;
}

static bool run_entry(rt_context *c, rt_checkpoint *k, uint32_t j)
{
    logged *l = &k->log[j];
    tdm_tensor *x[IR_MAX_OPERANDS];
    rt_scope scope = {c->scope, NULL};

    for (int i = 0; i < l->n; i++) {
        x[i] = l->outer[i] ? l->outer[i] : k->log[l->inner[i]].value;
    }
    c->scope = &scope;
    c->sink.loc = l->loc;
    l->value = rt_retain(rt_op(c, l->op, l->attrs, x, l->n));
    c->scope = scope.outer;
    rt_scope_drain(&scope);
    for (int i = 0; i < l->n; i++) {
        logged *in = &k->log[l->inner[i]];

        if (!l->outer[i] && in->last_read == j && !in->takers) {
            rt_release(in->value);
            in->value = NULL;
        }
    }
    return l->value != NULL;
}

static bool run_log(rt_context *c, rt_checkpoint *k)
{
    bool ok = true, recording = c->grad_mode;
    ir_loc loc = c->sink.loc;

    c->grad_mode = false;
    for (uint32_t j = 0; j < k->count && ok; j++) {
        ok = !k->log[j].needed || run_entry(c, k, j);
    }
    for (uint32_t j = 0; j < k->count && ok; j++) { /* operands from outside are not needed any more */
        tdm_tensor *value = k->log[j].value;

        k->log[j].value = NULL;
        forget(c, &k->log[j]);
        k->log[j].value = value;
    }
    c->grad_mode = recording;
    c->sink.loc = loc;
    k->run = ok;
    return ok;
}

void rt_checkpoint_leave(rt_context *c, rt_tape_node *n)
{
    rt_checkpoint *k = n->checkpoint;

    for (int i = 0; i <= n->n; i++) {
        logged *l = n->empty >> i & 1 ? &k->log[n->saved[i]->made_at] : NULL;

        if (l && --l->takers == 0) {
            rt_release(l->value);
            l->value = NULL;
        }
    }
    n->empty = 0;
    n->checkpoint = NULL;
    release(c, k);
}

ir_status rt_checkpoint_fill(rt_context *c, rt_tape_node *n)
{
    rt_checkpoint *k = n->checkpoint;

    if (!k->run && !run_log(c, k)) {
        return c->error.status ? c->error.status
                               : ir_fail(&c->error, IR_ENOMEM, "backward: out of memory in a checkpoint");
    }
    for (int i = 0; i <= n->n; i++) {
        if (n->empty >> i & 1) {
            tdm_tensor *s = n->saved[i], *v = k->log[s->made_at].value;

            s->a = v->a;
            s->storage = v->storage;
            s->storage->refs++;
            n->saved_version[i] = v->storage->version;
        }
    }
    rt_checkpoint_leave(c, n);
    return IR_OK;
}
