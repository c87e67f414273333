/* ir/arena.c: bump allocation in blocks, and interned names in an open hash table.
 *
 * Cost: an allocation is an addition; freeing a graph frees its blocks.  Blocks double from 4 KiB to 1 MiB;
 * what is larger gets a block of its own.  The table keeps pointers to entries, so entries never move. */
#include <string.h>

#include "arena.h"

enum { ALIGN = 16, FIRST_BLOCK = 4096, LARGEST_BLOCK = 1 << 20, FIRST_TABLE = 64 };

typedef struct block {
    struct block *next;
    size_t size, used; /* bytes after this header */
} block;

_Static_assert(sizeof(block) <= 2 * ALIGN, "the payload starts 32 bytes into a block");

typedef struct held {
    struct held *next;
    ir_shared *what;
} held;

struct ir_arena {
    block *blocks; /* the first is the one that small allocations come from */
    held *held;
    ir_name **table;
    uint32_t table_size, table_count;
};

static block *block_new(size_t bytes)
{
    if (bytes > SIZE_MAX - 2 * ALIGN)
        return NULL;
    block *b = ir_mem_zero(2 * ALIGN + bytes);
    if (b)
        b->size = bytes;
    return b;
}

ir_arena *ir_arena_new(void)
{
    return ir_mem_zero(sizeof(ir_arena));
}

void ir_arena_free(ir_arena *a)
{
    if (!a)
        return;
    for (const held *h = a->held; h; h = h->next)
        ir_shared_release(h->what);
    for (block *b = a->blocks, *next; b; b = next) {
        next = b->next;
        ir_mem_free(b);
    }
    ir_mem_free(a->table);
    ir_mem_free(a);
}

static void *take(block *b, size_t bytes)
{
    void *p = (char *)b + 2 * ALIGN + b->used;
    b->used += bytes;
    return p;
}

/* A block of its own for a large request, behind the current one so that its rest stays in use. */
static void *alloc_large(ir_arena *a, size_t bytes)
{
    block *b = block_new(bytes);
    if (!b)
        return NULL;
    if (a->blocks) {
        b->next = a->blocks->next;
        a->blocks->next = b;
    } else {
        a->blocks = b;
    }
    return take(b, bytes);
}

void *ir_arena_alloc(ir_arena *a, size_t bytes)
{
    if (bytes > SIZE_MAX / 2)
        return NULL;
    bytes = (bytes + (bytes == 0) + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    block *b = a->blocks;
    if (b && b->size - b->used >= bytes)
        return take(b, bytes);
    if (bytes >= FIRST_BLOCK)
        return alloc_large(a, bytes);
    size_t size = b ? b->size * 2 : FIRST_BLOCK;
    if (size > LARGEST_BLOCK || size < FIRST_BLOCK)
        size = LARGEST_BLOCK;
    block *fresh = block_new(size);
    if (!fresh)
        return NULL;
    fresh->next = b;
    a->blocks = fresh;
    return take(fresh, bytes);
}

bool ir_arena_hold(ir_arena *a, ir_shared *s)
{
    held *h = ir_arena_alloc(a, sizeof *h);

    if (!h)
        return false;
    *h = (held){.next = a->held, .what = s};
    a->held = h;
    ir_shared_hold(s);
    return true;
}

void *ir_arena_grow(ir_arena *a, void *items, size_t count, uint32_t *capacity, size_t item_size)
{
    if (count < *capacity)
        return items;
    if (count >= UINT32_MAX / 2)
        return NULL;
    uint32_t more = *capacity ? *capacity * 2 : 8;
    void *moved = ir_arena_alloc(a, more * item_size);
    if (!moved)
        return NULL;
    if (count)
        memcpy(moved, items, count * item_size);
    *capacity = more;
    return moved;
}

/* FNV-1a's scheme over words, with a mix of the high half: fast enough to hash weights. */
uint64_t ir_hash_bytes(uint64_t seed, const void *data, size_t n)
{
    const uint64_t prime = 0x9e3779b97f4a7c15u;
    const unsigned char *p = data;
    uint64_t h = seed ^ (n * prime);
    for (uint64_t word; n >= 8; n -= 8, p += 8) {
        memcpy(&word, p, 8);
        h = (h ^ word) * prime;
        h ^= h >> 32;
    }
    for (; n; n--, p++)
        h = (h ^ *p) * prime;
    return h ^ (h >> 29);
}

static void place(ir_name **table, uint32_t size, ir_name *e)
{
    uint32_t i = (uint32_t)e->hash & (size - 1);
    while (table[i])
        i = (i + 1) & (size - 1);
    table[i] = e;
}

/* Keeps the table at most half full. */
static bool make_room(ir_arena *a)
{
    if (a->table_count * 2 < a->table_size)
        return true;
    if (a->table_size >= UINT32_MAX / 4)
        return false;
    uint32_t size = a->table_size ? a->table_size * 2 : FIRST_TABLE;
    ir_name **table = ir_mem_zero(size * sizeof *table);
    if (!table)
        return false;
    for (uint32_t i = 0; i < a->table_size; i++)
        if (a->table[i])
            place(table, size, a->table[i]);
    ir_mem_free(a->table);
    a->table = table;
    a->table_size = size;
    return true;
}

static ir_name *name_new(ir_arena *a, const char *s, size_t n, uint64_t hash)
{
    if (n > SIZE_MAX / 4 || !make_room(a))
        return NULL;
    ir_name *e = ir_arena_alloc(a, sizeof *e + n + 1);
    if (!e)
        return NULL;
    char *text = (char *)(e + 1);
    memcpy(text, s, n);
    *e = (ir_name){text, hash, IR_NONE, IR_NONE, -1, -1, -1};
    place(a->table, a->table_size, e);
    a->table_count++;
    return e;
}

static ir_name *find(const ir_arena *a, const char *s, size_t n, uint64_t hash)
{
    uint32_t mask = a->table_size - 1;
    if (a->table_size == 0)
        return NULL;
    for (uint32_t i = (uint32_t)hash & mask; a->table[i]; i = (i + 1) & mask) {
        ir_name *e = a->table[i];
        if (e->hash == hash && strncmp(e->text, s, n) == 0 && e->text[n] == 0)
            return e;
    }
    return NULL;
}

const ir_name *ir_arena_find(const ir_arena *a, const char *s, size_t n)
{
    return find(a, s, n, ir_hash_bytes(0, s, n));
}

ir_name *ir_arena_name(ir_arena *a, const char *s, size_t n)
{
    uint64_t hash = ir_hash_bytes(0, s, n);
    ir_name *e = find(a, s, n, hash);
    return e ? e : name_new(a, s, n, hash);
}
