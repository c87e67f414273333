/* passes/plan_place.c: offsets in the arena.
 *
 * Storages are boxes: bytes by kernels of their life.  They are placed one by one, each into the smallest gap
 * between those already placed that live at the same time; largest first, and again in order of birth; the
 * lower arena wins. The scratch of a chain, placed the same way, is one box. Cost: storages squared. */
#include "passes/plan.h"

#include <stdlib.h>
#include <string.h>

typedef struct box {
    size_t bytes, offset;
    int first, last;
    ir_ref node; /* or IR_NONE: stage of a copy, scratch of a chain */
    int other;   /* number of the copy; from the number of copies on that of the chain */
} box;

static int by_size(const void *a, const void *b)
{
    const box *x = a, *z = b;

    if (x->bytes != z->bytes) {
        return x->bytes < z->bytes ? 1 : -1;
    }
    return x->first != z->first ? (x->first > z->first) - (x->first < z->first)
                                : (x->node > z->node) - (x->node < z->node);
}

static int by_birth(const void *a, const void *b)
{
    const box *x = a, *z = b;

    return x->first != z->first ? (x->first > z->first) - (x->first < z->first) : by_size(a, b);
}

/* Places b among placed[0..n), which ascend by offset, and inserts it there. */
static void place(box *placed, int n, box b)
{
    size_t end = 0, best = SIZE_MAX, gap = SIZE_MAX;
    int at = n;

    for (int i = 0; i < n; i++) {
        if (placed[i].last < b.first || b.last < placed[i].first) {
            continue;
        }
        if (placed[i].offset > end && placed[i].offset - end >= b.bytes && placed[i].offset - end < gap) {
            gap = placed[i].offset - end;
            best = end;
        }
        end = placed[i].offset + placed[i].bytes > end ? placed[i].offset + placed[i].bytes : end;
    }
    b.offset = best == SIZE_MAX ? end : best;
    while (at > 0 && placed[at - 1].offset > b.offset) {
        placed[at] = placed[at - 1];
        at--;
    }
    placed[at] = b;
}

static size_t place_all(const box *boxes, int n, box *placed)
{
    size_t top = 0;

    for (int i = 0; i < n; i++) {
        place(placed, i, boxes[i]);
    }
    for (int i = 0; i < n; i++) {
        top = placed[i].offset + placed[i].bytes > top ? placed[i].offset + placed[i].bytes : top;
    }
    return top;
}

/* Both orders; the better one ends up in `placed`. Returns the bytes it takes. */
static size_t place_best(box *boxes, int n, box *placed, box *spare)
{
    size_t top, other;

    qsort(boxes, (size_t)n, sizeof *boxes, by_size);
    top = place_all(boxes, n, placed);
    qsort(boxes, (size_t)n, sizeof *boxes, by_birth);
    other = place_all(boxes, n, spare);
    if (other < top) {
        memcpy(placed, spare, (size_t)n * sizeof *placed);
        top = other;
    }
    return top;
}

static size_t whole_lines(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

/* Slices of the values that only chain i touches, for as long as its members touch them. */
static int list_slices(plan *p, int i, box *boxes)
{
    int n = 0;

    for (ir_ref r = 0; r < p->g->count; r++) {
        plan_value *v = &p->value[r];

        if (v->chain == i && v->alias == IR_NONE && v->kind == IR_B_NONE) {
            size_t bytes = ir_type_bytes(&p->g->nodes[r].type) / (size_t)p->chains[i].slices;

            v->kind = IR_B_SCRATCH;
            boxes[n++] = (box){whole_lines(bytes), 0, v->made, v->storage_last, r, 0};
        }
    }
    return n;
}

static int list_boxes(plan *p, box *boxes)
{
    int n = 0, end = p->g->kernels.count;

    for (ir_ref r = 0; r < p->g->count; r++) {
        plan_value *v = &p->value[r];

        if (v->used && v->alias == IR_NONE && v->kind == IR_B_NONE) {
            v->kind = IR_B_ARENA;
            boxes[n++] = (box){.bytes = whole_lines(ir_type_bytes(&p->g->nodes[r].type)),
                               .first = p->apart ? 0 : plan_first(p, v->made),
                               .last = p->apart ? end : plan_last(p, v->storage_last),
                               .node = r};
        }
    }
    for (int i = 0; i < p->copy_count; i++) {
        if (p->staged[i]) {
            boxes[n++] = (box){whole_lines(p->staged[i]), 0, end, end, IR_NONE, i};
        }
    }
    for (int i = 0; i < p->g->kernels.chain_count; i++) {
        const ir_chain *c = &p->chains[i];

        if (c->bytes) {
            boxes[n++] = (box){c->bytes * (size_t)c->strands, 0,       c->first,
                               c->first + c->count - 1,       IR_NONE, p->copy_count + i};
        }
    }
    return n;
}

static void take_offset(plan *p, const box *b)
{
    if (b->node != IR_NONE) {
        p->value[b->node].offset = b->offset;
    } else if (b->other < p->copy_count) {
        p->copies[b->other].to.offset = b->offset; /* of its stage */
    } else {
        p->chains[b->other - p->copy_count].offset = b->offset;
    }
}

bool plan_place(plan *p)
{
    size_t room = p->g->count + (size_t)p->copy_count + (size_t)p->g->kernels.chain_count + 1;
    box *boxes = ir_arena_alloc(p->mem, room * sizeof *boxes);
    box *placed = ir_arena_alloc(p->mem, room * sizeof *placed);
    box *spare = ir_arena_alloc(p->mem, room * sizeof *spare);
    int n;

    if (!boxes || !placed || !spare) {
        return plan_out_of_memory(p);
    }
    for (int i = 0; i < p->g->kernels.chain_count; i++) {
        n = list_slices(p, i, boxes);
        p->chains[i].bytes = place_best(boxes, n, placed, spare);
        for (int j = 0; j < n; j++) {
            take_offset(p, &placed[j]);
        }
    }
    n = list_boxes(p, boxes);
    p->arena_bytes = place_best(boxes, n, placed, spare);
    for (int i = 0; i < n; i++) {
        take_offset(p, &placed[i]);
    }
    return true;
}
