/* runtime/image.c: see image.h.
 *
 *   kernels, objects: u64   per kernel: packed_kernel   per object: size: u64   the kernels' symbols, each
 * ended by 0   the objects, each at a multiple of 8
 *
 * Numbers have this machine's byte order: so has the code. */
#include "runtime/image.h"
#include "ir/map.h"

#include <stdlib.h>
#include <string.h>

typedef struct packed_kernel {
    int64_t units, grain;
    double flops, bytes;
    uint64_t freedoms;
} packed_kernel;

static size_t aligned(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

/* ---- bytes ---- */

static void put(unsigned char **at, const void *from, size_t n)
{
    memcpy(*at, from, n);
    *at += n;
}

static void put_parts(const rt_image *m, unsigned char *at, size_t names)
{
    uint64_t counts[2] = {(uint64_t)m->kernel_count, (uint64_t)m->object_count};

    put(&at, counts, sizeof counts);
    for (int i = 0; i < m->kernel_count; i++) {
        const rt_image_kernel *k = &m->kernels[i];
        put(&at, &(packed_kernel){k->units, k->grain, k->flops, k->bytes, k->freedoms},
            sizeof(packed_kernel));
    }
    for (int i = 0; i < m->object_count; i++) {
        uint64_t size = m->objects[i].size;
        put(&at, &size, sizeof size);
    }
    unsigned char *objects = at + aligned(names);
    for (int i = 0; i < m->kernel_count; i++)
        put(&at, m->kernels[i].symbol, strlen(m->kernels[i].symbol) + 1);
    for (int i = 0; i < m->object_count; i++) {
        memcpy(objects, m->objects[i].data, m->objects[i].size);
        objects += aligned(m->objects[i].size);
    }
}

unsigned char *rt_image_pack(const rt_image *m, size_t *size)
{
    size_t names = 0;

    *size = 2 * sizeof(uint64_t) + (size_t)m->kernel_count * sizeof(packed_kernel) +
            (size_t)m->object_count * sizeof(uint64_t);
    for (int i = 0; i < m->kernel_count; i++)
        names += strlen(m->kernels[i].symbol) + 1;
    *size += aligned(names);
    for (int i = 0; i < m->object_count; i++)
        *size += aligned(m->objects[i].size);
    unsigned char *bytes = calloc(1, *size);
    if (bytes)
        put_parts(m, bytes, names);
    return bytes;
}

typedef struct reader {
    const unsigned char *at;
    size_t left;
} reader;

/* The next n bytes and what fills them up to a multiple of 8; NULL: there are not so many. */
static const void *take(reader *r, uint64_t n)
{
    const unsigned char *p = r->at;

    if (n > r->left || aligned(n) > r->left)
        return NULL;
    r->at += aligned(n);
    r->left -= aligned(n);
    return p;
}

static bool read_names(reader *r, rt_image_kernel *kernels, int count)
{
    size_t names = 0;

    for (int i = 0; i < count; i++) {
        const unsigned char *end = names < r->left ? memchr(r->at + names, 0, r->left - names) : NULL;
        if (!end)
            return false;
        kernels[i].symbol = (const char *)r->at + names;
        names = (size_t)(end - r->at) + 1;
    }
    return take(r, names) != NULL;
}

static bool read_parts(rt_image *m, reader *r, rt_image_kernel *kernels, const packed_kernel *packed,
                       const uint64_t *sizes)
{
    for (int i = 0; i < m->kernel_count; i++)
        kernels[i] = (rt_image_kernel){NULL,
                                       packed[i].units,
                                       packed[i].grain,
                                       packed[i].flops,
                                       packed[i].bytes,
                                       (unsigned)packed[i].freedoms};
    if (!read_names(r, kernels, m->kernel_count))
        return false;
    for (int i = 0; i < m->object_count; i++) {
        m->objects[i] = (rt_object){take(r, sizes[i]), sizes[i]};
        if (!m->objects[i].data)
            return false;
    }
    return r->left == 0;
}

bool rt_image_unpack(rt_image *m, const unsigned char *bytes, size_t size)
{
    reader r = {bytes, size};
    const uint64_t *counts = take(&r, 2 * sizeof *counts);

    *m = (rt_image){0};
    if (!counts || counts[0] > size / sizeof(packed_kernel) || counts[1] > RT_IMAGE_OBJECTS)
        return false;
    const packed_kernel *packed = take(&r, counts[0] * sizeof *packed);
    const uint64_t *sizes = packed ? take(&r, counts[1] * sizeof *sizes) : NULL;
    if (!sizes)
        return false;
    rt_image_kernel *kernels = calloc(counts[0] + 1, sizeof *kernels);
    m->kernels = kernels;
    m->kernel_count = (int)counts[0];
    m->object_count = (int)counts[1];
    if (kernels && read_parts(m, &r, kernels, packed, sizes))
        return true;
    free(kernels);
    *m = (rt_image){0};
    return false;
}

/* ---- a program ---- */

/* Row-major and expanded: a splat constant repeats its element. */
static void fill_constant(void *to, const ir_node *n, size_t bytes)
{
    size_t size = ir_dtype_size((ir_dtype)n->type.dtype);

    if (!n->attrs->splat) {
        memcpy(to, n->attrs->constant.data, bytes);
        return;
    }
    for (size_t at = 0; at < bytes; at += size)
        memcpy((char *)to + at, n->attrs->constant.data, size);
}

/* Weights stay where the graph, which lives as long, has them. */
static ir_status make_constant(rt_program *p, const ir_buffer *b, ir_error *e)
{
    const ir_node *n = &p->graph->nodes[b->node];
    size_t bytes = ir_type_bytes(&n->type);
    bool owned = n->attrs->splat || !n->attrs->constant.shared;
    void *data = owned ? rt_alloc(bytes) : NULL;

    if (owned && !data)
        return ir_fail(e, IR_ENOMEM, "out of memory: a constant of %zu bytes", bytes);
    if (owned)
        fill_constant(data, n, bytes);
    p->constants[b->index] = (rt_constant){owned ? data : n->attrs->constant.data, bytes, owned};
    return IR_OK;
}

static ir_status make_constants(rt_program *p, ir_error *e)
{
    const ir_graph *g = p->graph;
    int count = ir_constant_count(g);

    p->constants = calloc((size_t)count + 1, sizeof *p->constants);
    if (!p->constants)
        return ir_fail(e, IR_ENOMEM, "out of memory");
    p->constant_count = count;
    for (int i = 0; i < g->buffers.count; i++) {
        const ir_buffer *b = &g->buffers.items[i];
        if (b->kind == IR_B_CONSTANT && g->nodes[b->node].op == IR_constant && !p->constants[b->index].data &&
            make_constant(p, b, e) != IR_OK)
            return e->status;
    }
    return IR_OK;
}

static ir_status link_image(const rt_image *m, rt_program *p, rt_symbol *wanted, bool debug, ir_error *e)
{
    for (int i = 0; i < m->kernel_count; i++)
        wanted[i].name = m->kernels[i].symbol;
    wanted[m->kernel_count].name = RT_ENTRY_SYMBOL;
    p->code = rt_code_link(m->objects, m->object_count, wanted, m->kernel_count + 1, debug, e);
    p->code_free = rt_code_free;
    if (!p->code)
        return e->status;
    *(void **)&p->entry = wanted[m->kernel_count].address;
    for (int i = 0; i < m->kernel_count; i++) {
        const rt_image_kernel *k = &m->kernels[i];
        const char *name = p->graph->kernels.items[i].name;
        p->kernels[i] = (rt_program_kernel){.name = name ? name : "kernel",
                                            .units = k->units,
                                            .grain = k->grain,
                                            .flops = k->flops,
                                            .bytes = k->bytes,
                                            .freedoms = k->freedoms};
        if (k->units > 0) /* else an earlier kernel's function runs it, as a member of its chain */
            *(void **)&p->kernels[i].fn = wanted[i].address;
    }
    return IR_OK;
}

ir_status rt_image_load(const rt_image *m, rt_program *p, bool debug, ir_error *e)
{
    ir_error local = {0};

    if (m->kernel_count != p->graph->kernels.count)
        return ir_fail(e, IR_EPARSE, "image: %d kernels, the graph has %d", m->kernel_count,
                       p->graph->kernels.count);
    rt_symbol *wanted = calloc((size_t)m->kernel_count + 1, sizeof *wanted);
    p->kernel_count = m->kernel_count;
    p->kernels = calloc((size_t)m->kernel_count + 1, sizeof *p->kernels);
    if (!wanted || !p->kernels)
        ir_fail(&local, IR_ENOMEM, "out of memory");
    else if (link_image(m, p, wanted, debug, &local) == IR_OK)
        make_constants(p, &local);
    free(wanted);
    if (local.status == IR_OK)
        return IR_OK;
    rt_program_unload(p);
    return ir_fail(e, local.status, "%s", local.text);
}
