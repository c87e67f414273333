/* passes/fuse_name.c: kernel names: stable, and saying what is inside.
 *
 *   k3_dot+add+gelu     ops joined by +, neighbours of one region as the region's name
 *   k1_softmax          all of one region */
#include "passes/fuse.h"

#include <stdio.h>
#include <string.h>

enum { NAME_LIMIT = 48 };

static const char *short_name(const ir_node *n)
{
    switch (n->op) {
    case IR_dot_general: return "dot";
    case IR_reduce_sum: return "sum";
    case IR_reduce_max: return "rowmax";
    case IR_reduce_min: return "rowmin";
    case IR_reduce_prod: return "prod";
    case IR_reduce_all: return "all";
    case IR_reduce_any: return "any";
    default: return ir_ops[n->op].name;
    }
}

static bool is_plain(const ir_node *n)
{
    ir_class cls = ir_ops[n->op].cls;

    return cls == IR_VIEW || cls == IR_LEAF || n->op == IR_convert || n->op == IR_stop_gradient ||
           n->op == IR_iota;
}

/* Appends "+word"; false when the name is long enough. */
static bool add_word(char *buf, size_t size, const char *word, bool first)
{
    size_t len = strlen(buf);

    if (len + strlen(word) + 1 > NAME_LIMIT || len + strlen(word) + 4 > size) {
        snprintf(buf + len, size - len, "+..");
        return false;
    }
    snprintf(buf + len, size - len, "%s%s", first ? "" : "+", word);
    for (char *c = buf + len; *c; c++) { /* what symbol tables and shells take without quotes */
        bool fine =
            (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || *c == '.';

        *c = fine || *c == '+' || *c == '_' ? *c : '_';
    }
    return true;
}

void fuse_name(const ir_graph *g, const ir_kernel *k, int number, char *buf, size_t size)
{
    const char *last = NULL;
    bool only_plain = true, first = true;

    for (int i = 0; i < k->node_count; i++) {
        only_plain &= is_plain(&g->nodes[k->nodes[i]]);
    }
    snprintf(buf, size, "k%d_", number);
    for (int i = 0; i < k->node_count; i++) {
        const ir_node *n = &g->nodes[k->nodes[i]];
        const char *word = n->region ? n->region : short_name(n);

        if ((is_plain(n) && !only_plain) || (n->region && last && strcmp(word, last) == 0)) {
            continue;
        }
        if (!add_word(buf, size, word, first)) {
            return;
        }
        first = false;
        last = n->region ? word : NULL;
    }
}
