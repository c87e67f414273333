/* runtime/races.c: who touched a byte last.
 *
 *   pages    open addressing by page number; a page holds, per byte, the chunk that wrote it and the first
 * two chunks that read it stamps   chunks are numbered on and on, from 1; what is below the loop's first
 * number is of an earlier loop, so nothing is cleared between loops
 *
 * Two readers are enough: of two different ones at least one is not the chunk that writes later.  What lies
 * on the stack between the loop and the access is the chunk's own. */
#include "runtime/races.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE = 4096 };

typedef struct page {
    uintptr_t number;
    uint32_t writer[PAGE], reader[2][PAGE];
} page;

struct rt_races {
    page **pages;
    size_t count, room; /* room: a power of two, or 0 */
    uint32_t first, now;
    uintptr_t stack; /* of the loop: what chunks have on the stack is below */
    bool lost, found;
    rt_race race;
};

/* The checker whose chunk runs on this thread; NULL outside of a checked loop. */
static _Thread_local rt_races *current;

rt_races *rt_races_new(void)
{
    rt_races *r = calloc(1, sizeof *r);

    if (r) {
        r->now = 1;
    }
    return r;
}

void rt_races_free(rt_races *r)
{
    if (!r) {
        return;
    }
    for (size_t i = 0; i < r->room; i++) {
        free(r->pages[i]);
    }
    free(r->pages);
    free(r);
}

/* ---- pages ------------------------------------------------------------------------------------------- */

static page **slot(page **pages, size_t room, uintptr_t number)
{
    size_t i = (size_t)(number * 0x9e3779b97f4a7c15u >> 17) & (room - 1);

    while (pages[i] && pages[i]->number != number) {
        i = (i + 1) & (room - 1);
    }
    return &pages[i];
}

static bool grow(rt_races *r)
{
    size_t room = r->room ? 2 * r->room : 64;
    page **pages = calloc(room, sizeof *pages);

    if (!pages) {
        return false;
    }
    for (size_t i = 0; i < r->room; i++) {
        if (r->pages[i]) {
            *slot(pages, room, r->pages[i]->number) = r->pages[i];
        }
    }
    free(r->pages);
    r->pages = pages;
    r->room = room;
    return true;
}

static page *page_of(rt_races *r, uintptr_t number)
{
    if (2 * (r->count + 1) > r->room && !grow(r)) {
        return NULL;
    }
    page **at = slot(r->pages, r->room, number);
    if (!*at && (*at = calloc(1, sizeof **at))) {
        (*at)->number = number;
        r->count++;
    }
    return *at;
}

/* ---- accesses ---------------------------------------------------------------------------------------- */

static bool another(const rt_races *r, uint32_t chunk)
{
    return chunk >= r->first && chunk != r->now;
}

static void report(rt_races *r, uint32_t other, bool other_wrote, bool wrote, const void *at)
{
    if (r->found) {
        return;
    }
    r->found = true;
    r->race.other = other - r->first;
    r->race.chunk = r->now - r->first;
    r->race.other_wrote = other_wrote;
    r->race.wrote = wrote;
    r->race.at = at;
}

static void write_byte(rt_races *r, page *p, size_t i)
{
    const void *at = (const void *)(p->number * PAGE + i);

    if (another(r, p->writer[i])) {
        report(r, p->writer[i], true, true, at);
    }
    for (int k = 0; k < 2; k++) {
        if (another(r, p->reader[k][i])) {
            report(r, p->reader[k][i], false, true, at);
        }
    }
    p->writer[i] = r->now;
}

static void read_byte(rt_races *r, page *p, size_t i)
{
    if (another(r, p->writer[i])) {
        report(r, p->writer[i], true, false, (const void *)(p->number * PAGE + i));
    }
    if (p->reader[0][i] < r->first) {
        p->reader[0][i] = r->now;
    } else if (p->reader[0][i] != r->now && p->reader[1][i] < r->first) {
        p->reader[1][i] = r->now;
    }
}

static void each_byte(const void *p, int64_t bytes, void (*touch)(rt_races *r, page *p, size_t i))
{
    rt_races *r = current;
    uintptr_t at = (uintptr_t)p, end = at + (uintptr_t)bytes;

    if (!r || (at < r->stack && at > (uintptr_t)__builtin_frame_address(0))) {
        return;
    }
    while (at < end) {
        page *of = page_of(r, at / PAGE);
        uintptr_t stop = (at / PAGE + 1) * PAGE;
        r->lost |= !of;
        for (; at < end && at < stop; at++) {
            if (of) {
                touch(r, of, at % PAGE);
            }
        }
    }
}

void rt_races_wrote(const void *p, int64_t bytes)
{
    each_byte(p, bytes, write_byte);
}

void rt_races_read(const void *p, int64_t bytes)
{
    each_byte(p, bytes, read_byte);
}

/* ---- loops ------------------------------------------------------------------------------------------- */

/* Numbers run out after four thousand million chunks: then all pages are forgotten. */
static void renumber(rt_races *r, int64_t chunks)
{
    if (chunks < (int64_t)UINT32_MAX - r->now) {
        return;
    }
    for (size_t i = 0; i < r->room; i++) {
        free(r->pages[i]);
        r->pages[i] = NULL;
    }
    r->count = 0;
    r->now = 1;
}

void rt_races_loop(rt_races *r, rt_chunk_fn *fn, void *const *args, int64_t n, int64_t grain)
{
    int64_t chunks = n / (grain > 0 ? grain : 1);
    rt_races *outer = current;

    if (chunks < 1) {
        chunks = n > 0;
    }
    renumber(r, chunks);
    if (!r->found) {
        r->race = (rt_race){.fn = fn, .chunks = chunks};
    }
    r->first = r->now;
    r->stack = (uintptr_t)__builtin_frame_address(0);
    current = r;
    for (int64_t i = 0; i < chunks; i++) {
        fn(args, n / chunks * i + n % chunks * i / chunks,
           n / chunks * (i + 1) + n % chunks * (i + 1) / chunks);
        r->now++;
    }
    current = outer;
}

bool rt_races_take(rt_races *r, rt_race *first, bool *lost)
{
    bool found = r->found;

    *first = r->race;
    *lost = r->lost;
    r->found = r->lost = false;
    return found;
}
