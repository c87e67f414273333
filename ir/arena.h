/* ir/arena.h: the memory of a graph, and the table of its names.  Internal to ir/.
 *
 * Everything a graph points to lives in one arena and dies with it.  Growing arrays move to a new block and
 * leave the old one readable, so a `const ir_type *` handed out by a sink stays valid while nodes are
 * appended: nodes never change. The waste is at most the size of the array.
 *
 * All of ir/ takes memory from the four functions of alloc.c.  A test that defines its own replaces them at
 * link time and fails the n-th allocation. */
#ifndef TANDEM_IR_ARENA_H
#define TANDEM_IR_ARENA_H

#include "ir.h"
#include "shared.h"

void *ir_mem_alloc(size_t bytes); /* NULL when out of memory */
void *ir_mem_zero(size_t bytes);  /* the same, zeroed */
void *ir_mem_resize(void *p, size_t bytes);
void ir_mem_free(void *p);

/* One name of a graph, once, with what it stands for.  Refs are IR_NONE where it stands for nothing. */
typedef struct ir_name {
    const char *text;
    uint64_t hash;
    ir_ref input;   /* the leaf of this name */
    ir_ref local;   /* the parser's: a node that the text calls by this name */
    int32_t output; /* index of the output of this name or -1 */
    int32_t assign; /* index of the assign to the variable of this name or -1 */
    int32_t symbol; /* number of the symbolic dim of this name or -1 */
} ir_name;

typedef struct ir_arena ir_arena;

ir_arena *ir_arena_new(void);
void ir_arena_free(ir_arena *a);
void *ir_arena_alloc(ir_arena *a, size_t bytes); /* zeroed, 16-byte aligned; NULL when out of memory */
/* Holds s until a is freed; false when out of memory. */
bool ir_arena_hold(ir_arena *a, ir_shared *s);
/* Finds or adds a name.  The entry stays where it is; NULL when out of memory. */
ir_name *ir_arena_name(ir_arena *a, const char *s, size_t n);
const ir_name *ir_arena_find(const ir_arena *a, const char *s, size_t n); /* NULL if it is not there */
/* The array `items` of `count` elements, grown so that one more fits; *capacity is kept.  NULL when out of
 * memory. */
void *ir_arena_grow(ir_arena *a, void *items, size_t count, uint32_t *capacity, size_t item_size);

uint64_t ir_hash_bytes(uint64_t seed, const void *data, size_t n);

#endif
