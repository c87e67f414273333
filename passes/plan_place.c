/* passes/plan_place.c: offsets in the arena.
 *
 * Storages are boxes: bytes by kernels of their life.  They are placed one by one, each into the smallest gap
 * between those already placed that live at the same time; largest first, and again in order of birth; the
 * lower arena wins. Cost: storages squared. */
#include "passes/plan.h"

#include <stdlib.h>
#include <string.h>

typedef struct box {
    size_t bytes, offset;
    int first, last;
    ir_ref node; /* or IR_NONE: stage of a copy */
    int copy;
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

static int list_boxes(plan *p, box *boxes)
{
    int n = 0;

    for (ir_ref r = 0; r < p->g->count; r++) {
        plan_value *v = &p->value[r];

        if (v->used && v->alias == IR_NONE && v->kind == IR_B_NONE) {
            v->kind = IR_B_ARENA;
            boxes[n++] = (box){.bytes = (ir_type_bytes(&p->g->nodes[r].type) + 63) / 64 * 64,
                               .first = p->apart ? 0 : v->made,
                               .last = p->apart ? p->g->kernels.count : v->storage_last,
                               .node = r};
        }
    }
    for (int i = 0; i < p->copy_count; i++) {
        if (p->staged[i]) {
            int end = p->g->kernels.count;

            boxes[n++] = (box){(p->staged[i] + 63) / 64 * 64, 0, end, end, IR_NONE, i};
        }
    }
    return n;
}

bool plan_place(plan *p)
{
    size_t room = p->g->count + (size_t)p->copy_count + 1, other;
    box *boxes = ir_arena_alloc(p->mem, room * sizeof *boxes);
    box *placed = ir_arena_alloc(p->mem, room * sizeof *placed);
    box *second = ir_arena_alloc(p->mem, room * sizeof *second);
    int n;

    if (!boxes || !placed || !second) {
        return plan_out_of_memory(p);
    }
    n = list_boxes(p, boxes);
    qsort(boxes, (size_t)n, sizeof *boxes, by_size);
    p->arena_bytes = place_all(boxes, n, placed);
    qsort(boxes, (size_t)n, sizeof *boxes, by_birth);
    other = place_all(boxes, n, second);
    if (other < p->arena_bytes) {
        p->arena_bytes = other;
        placed = second;
    }
    for (int i = 0; i < n; i++) {
        if (placed[i].node != IR_NONE) {
            p->value[placed[i].node].offset = placed[i].offset;
        } else {
            p->copies[placed[i].copy].to.offset = placed[i].offset; /* of its stage */
        }
    }
    return true;
}
