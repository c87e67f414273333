/* frontend/cache_graph.c: what the passes made of a big graph, kept on disk beside the compiled programs
 * (cache.c): reading it back takes a fraction of the time of the passes.
 *
 *   key   everything in the graph before the passes, down to names and lines, and all options
 *   file  nodes of the source, characters: u64 | fingerprint of the graph | map: u32 for each node of the
 * source | the graph as text, with kernels and buffers
 *
 * Constants count in full and are in the text, so a graph with weights in it is none of these: nor is a small
 * one, whose passes cost less than a file, nor one whose custom calls the passes may have computed.  The
 * parser and the verifier check what is read, as they check a user's file; the fingerprint says that it is
 * what was written. */
#include <stdlib.h>
#include <string.h>

#include "build_id.h"
#include "frontend/fe.h"

enum { LEAST_NODES = 256, MOST_DATA = 16 << 10 };

typedef struct header {
    uint64_t nodes, size;
    ir_digest graph;
} header;

static bool is_kept(const ir_graph *g)
{
    size_t data = 0;

    for (ir_ref r = 0; r < g->count; r++) {
        if (g->nodes[r].op == IR_custom)
            return false;
        if (g->nodes[r].op == IR_constant)
            data += g->nodes[r].attrs->constant.bytes;
    }
    return data <= MOST_DATA;
}

static rt_store_key key_of(const ir_graph *g, const pass_context *pc, const cg_options *o)
{
    rt_store_key k = {.kind = RT_STORE_GRAPH};

    ir_digest_source(&k.program, g);
    ir_digest_int(&k.program, (int64_t)pc->memory_budget);
    ir_digest_int(&k.program, pc->threads);
    fe_cache_options(&k.program, o);
    ir_digest_add(&k.version, TANDEM_BUILD_ID, strlen(TANDEM_BUILD_ID));
    ir_digest_end(&k.program);
    ir_digest_end(&k.version);
    return k;
}

static ir_digest fingerprint(const ir_graph *g)
{
    ir_digest d = {0};

    ir_digest_graph(&d, g);
    ir_digest_end(&d);
    return d;
}

/* The graph of a file's contents, of a source with so many nodes, and *map; NULL: it is no such file. */
static ir_graph *unpack(const unsigned char *bytes, size_t size, uint64_t nodes, const ir_ref **map)
{
    header h;
    ir_error e = {0};

    if (size < sizeof h)
        return NULL;
    memcpy(&h, bytes, sizeof h);
    size -= sizeof h;
    if (h.nodes != nodes || nodes > size / sizeof **map || size - nodes * sizeof **map != h.size)
        return NULL;
    *map = (const void *)(bytes + sizeof h);
    ir_graph *g = ir_parse((const char *)(*map + nodes), h.size, NULL, NULL, &e);
    ir_digest d = g ? fingerprint(g) : (ir_digest){0};
    bool whole = g && d.a == h.graph.a && d.b == h.graph.b;
    for (uint64_t i = 0; whole && i < nodes; i++)
        whole = (*map)[i] == IR_NONE || (*map)[i] < g->count;
    if (whole)
        return g;
    ir_graph_free(g);
    return NULL;
}

bool fe_graph_recall(tdm_program *p, const ir_graph *g, const pass_context *pc, const cg_options *o)
{
    unsigned char *bytes = NULL;
    const ir_ref *map = NULL;
    size_t size = 0;

    if (!p->ctx->cache || o->debug_info || g->count < LEAST_NODES || !is_kept(g))
        return false;
    p->passes = key_of(g, pc, o);
    p->worth_keeping = true;
    if (rt_store_read(p->ctx->cache, &p->passes, &bytes, &size) == RT_STORE_HIT)
        p->p.graph = unpack(bytes, size, g->count, &map);
    if (map && p->p.graph)
        memcpy(p->map, map, g->count * sizeof *map);
    free(bytes);
    return p->p.graph != NULL;
}

/* The reverse of unpack; NULL when out of memory. */
static unsigned char *pack(const tdm_program *p, size_t *size)
{
    ir_error e = {0};
    char *text = NULL;
    header h = {.nodes = p->map_count, .graph = fingerprint(p->p.graph)};

    if (ir_print(p->p.graph, &text, &e) != IR_OK)
        return NULL;
    h.size = strlen(text);
    *size = sizeof h + p->map_count * sizeof *p->map + h.size;
    unsigned char *bytes = malloc(*size);
    if (bytes) {
        memcpy(bytes, &h, sizeof h);
        memcpy(bytes + sizeof h, p->map, p->map_count * sizeof *p->map);
        memcpy(bytes + *size - h.size, text, h.size);
    }
    free(text);
    return bytes;
}

void fe_graph_remember(tdm_program *p)
{
    ir_error unused = {0}; /* that the program can't be kept either has been said */
    size_t size;

    if (!p->worth_keeping || !is_kept(p->p.graph))
        return;
    unsigned char *bytes = pack(p, &size);
    if (bytes)
        rt_store_write(p->ctx->cache, &p->passes, bytes, size, p->ctx->options.cache_bytes, &unused);
    free(bytes);
}
