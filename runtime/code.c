/* runtime/code.c: a small linker for what codegen makes: position-independent code and constants.
 *
 *   [ text of all objects | a jump per C function ] [ constants of all objects | addresses of the functions ]
 *     read, execute                                   read
 *
 * Everything lies in one mapping, so 32-bit distances reach; only the C functions are further away, hence the
 * jumps.  Code never is writable and executable at once.  Objects with data of their own to write, with
 * thread-local data or with other relocations than codegen's are refused. */
#include "runtime/code.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "runtime/elf.h"
#include "runtime/races.h"
#include "runtime/sort.h"

enum { PAGE = 4096, JUMP = 16, NOWHERE = -1 };

typedef void any_fn(void);

/* What LLVM may call for a target without the instruction (fma before v3, rounding before SSE 4.1), for
 * blocks of memory, and the runtime's own. */
static const struct {
    const char *name;
    any_fn *fn;
} library[] = {
#define F(name) {#name, (any_fn *)name}
    F(fma),
    F(fmaf),
    F(memcpy),
    F(memset),
    F(memmove),
    F(rint),
    F(rintf),
    F(nearbyint),
    F(nearbyintf),
    F(floor),
    F(floorf),
    F(ceil),
    F(ceilf),
    F(trunc),
    F(truncf),
    F(roundeven),
    F(roundevenf),
#undef F
    {RT_ARGSORT_SYMBOL, (any_fn *)rt_argsort_row},
    {RT_WROTE_SYMBOL, (any_fn *)rt_races_wrote},
    {RT_READ_SYMBOL, (any_fn *)rt_races_read}};
enum { LIBRARY = sizeof library / sizeof library[0] };

typedef struct part { /* one object */
    rt_elf elf;
    ptrdiff_t *at; /* per section: its offset in the mapping, or NOWHERE */
} part;

struct rt_code {
    unsigned char *map;
    size_t size;
    void **told; /* per object, for debuggers */
    int told_count;
};

typedef struct linker {
    part *parts;
    int count;
    unsigned char *map;
    size_t text, size;      /* bytes of the first half (whole pages), of both */
    size_t jumps, pointers; /* offsets of the C functions' */
    rt_symbol *symbols;     /* global, sorted by name */
    size_t symbol_count;
    ir_error *e;
} linker;

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

static bool failed(const linker *l)
{
    return l->e->status != IR_OK;
}

/* ---- placing ---- */

static void place_sections(linker *l, bool text, size_t *end)
{
    for (int p = 0; p < l->count; p++)
        for (int i = 0; i < l->parts[p].elf.section_count; i++) {
            const Elf64_Shdr *s = &l->parts[p].elf.sections[i];
            if (!(s->sh_flags & SHF_ALLOC) || !s->sh_size || !!(s->sh_flags & SHF_EXECINSTR) != text)
                continue;
            if (s->sh_flags & (SHF_WRITE | SHF_TLS))
                ir_fail(l->e, IR_EUNSUPPORTED, "object: a section that can be written to");
            *end = round_up(*end, s->sh_addralign ? s->sh_addralign : 1);
            l->parts[p].at[i] = (ptrdiff_t)*end;
            *end += s->sh_size;
        }
}

static void place(linker *l)
{
    size_t end = 0;

    place_sections(l, true, &end);
    l->jumps = round_up(end, JUMP);
    l->text = end = round_up(l->jumps + (size_t)LIBRARY * JUMP, PAGE);
    place_sections(l, false, &end);
    l->pointers = round_up(end, 8);
    l->size = round_up(l->pointers + LIBRARY * sizeof(void *), PAGE);
    if (l->size > INT32_MAX)
        ir_fail(l->e, IR_EUNSUPPORTED, "object: %zu bytes of code are more than 2 GiB", l->size);
}

static void copy_sections(linker *l)
{
    for (int p = 0; p < l->count; p++) {
        const rt_elf *o = &l->parts[p].elf;
        for (int i = 0; i < o->section_count; i++)
            if (l->parts[p].at[i] != NOWHERE && o->sections[i].sh_type != SHT_NOBITS)
                memcpy(l->map + l->parts[p].at[i], o->data + o->sections[i].sh_offset,
                       o->sections[i].sh_size);
    }
}

/* jmp *distance(%rip), through the table of addresses. */
static void write_jumps(linker *l)
{
    for (size_t i = 0; i < LIBRARY; i++) {
        size_t jump = l->jumps + i * JUMP, pointer = l->pointers + i * sizeof(void *);
        int32_t distance = (int32_t)(pointer - (jump + 6));
        memcpy(l->map + jump, "\xff\x25", 2);
        memcpy(l->map + jump + 2, &distance, sizeof distance);
        memcpy(l->map + pointer, &library[i].fn, sizeof library[i].fn);
    }
}

/* ---- symbols ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const rt_symbol *)a)->name, ((const rt_symbol *)b)->name);
}

/* Where a symbol of part p lies that the part itself defines; NULL: nowhere. */
static unsigned char *own_address(const linker *l, const part *p, const Elf64_Sym *s)
{
    if (s->st_shndx == SHN_UNDEF || s->st_shndx == SHN_ABS || p->at[s->st_shndx] == NOWHERE)
        return NULL;
    return l->map + p->at[s->st_shndx] + s->st_value;
}

static bool is_global(const linker *l, const part *p, const Elf64_Sym *s)
{
    return ELF64_ST_BIND(s->st_info) != STB_LOCAL && own_address(l, p, s);
}

static void collect_symbols(linker *l)
{
    size_t n = 0;

    for (int p = 0; p < l->count; p++)
        n += l->parts[p].elf.symbol_count;
    l->symbols = malloc((n + 1) * sizeof *l->symbols);
    if (!l->symbols) {
        ir_fail(l->e, IR_ENOMEM, "out of memory");
        return;
    }
    for (int p = 0; p < l->count; p++)
        for (size_t i = 0; i < l->parts[p].elf.symbol_count; i++) {
            const Elf64_Sym *s = &l->parts[p].elf.symbols[i];
            if (is_global(l, &l->parts[p], s))
                l->symbols[l->symbol_count++] =
                    (rt_symbol){rt_elf_symbol_name(&l->parts[p].elf, s), own_address(l, &l->parts[p], s)};
        }
    qsort(l->symbols, l->symbol_count, sizeof *l->symbols, by_name);
    for (size_t i = 1; i < l->symbol_count; i++)
        if (by_name(&l->symbols[i - 1], &l->symbols[i]) == 0)
            ir_fail(l->e, IR_EPARSE, "object: '%.100s' is defined twice", l->symbols[i].name);
}

/* NULL + error: nobody has it. */
static void *find(linker *l, const char *name)
{
    rt_symbol wanted = {.name = name};
    const rt_symbol *found = bsearch(&wanted, l->symbols, l->symbol_count, sizeof wanted, by_name);

    if (found)
        return found->address;
    for (size_t i = 0; i < LIBRARY; i++)
        if (strcmp(library[i].name, name) == 0)
            return l->map + l->jumps + i * JUMP;
    ir_fail(l->e, IR_EUNSUPPORTED, "object: nothing is called '%.100s'", name);
    return NULL;
}

/* ---- relocations ---- */

static void store_distance(linker *l, unsigned char *to, int64_t v)
{
    int32_t narrow = (int32_t)v;

    if (narrow != v)
        ir_fail(l->e, IR_EPARSE, "object: a distance does not fit");
    memcpy(to, &narrow, sizeof narrow);
}

static void relocate(linker *l, const part *p, int section, const Elf64_Rela *r)
{
    uint64_t type = ELF64_R_TYPE(r->r_info), symbol = ELF64_R_SYM(r->r_info);
    size_t width = type == R_X86_64_64 || type == R_X86_64_PC64 ? 8 : 4,
           size = p->elf.sections[section].sh_size;

    if (symbol >= p->elf.symbol_count || r->r_offset > size || width > size - r->r_offset) {
        ir_fail(l->e, IR_EPARSE, "object: a relocation reaches outside it");
        return;
    }
    const Elf64_Sym *s = &p->elf.symbols[symbol];
    unsigned char *to = l->map + p->at[section] + r->r_offset;
    const unsigned char *at = own_address(l, p, s);
    assert(to); /* it lies inside the mapping */
    if (!at)
        at = find(l, rt_elf_symbol_name(&p->elf, s));
    if (!at)
        return;
    uint64_t value = (uintptr_t)at + (uint64_t)r->r_addend, distance = value - (uintptr_t)to;
    switch (type) {
    case R_X86_64_64: memcpy(to, &value, sizeof value); break;
    case R_X86_64_PC64: memcpy(to, &distance, sizeof distance); break;
    case R_X86_64_PC32:
    case R_X86_64_PLT32: store_distance(l, to, (int64_t)distance); break;
    default: ir_fail(l->e, IR_EUNSUPPORTED, "object: a relocation of kind %d", (int)type); break;
    }
}

static void relocate_all(linker *l)
{
    for (int p = 0; p < l->count; p++) {
        const part *at = &l->parts[p];
        for (int i = 0; i < at->elf.section_count && !failed(l); i++) {
            const Elf64_Shdr *s = &at->elf.sections[i];
            size_t n;
            if (s->sh_type != SHT_RELA || at->at[s->sh_info] == NOWHERE)
                continue;
            const Elf64_Rela *r = rt_elf_relocations(&at->elf, s, &n);
            for (size_t k = 0; k < n && !failed(l); k++)
                relocate(l, at, (int)s->sh_info, &r[k]);
        }
    }
}

/* ---- the whole ---- */

static bool open_parts(linker *l, const rt_object *objects)
{
    l->parts = calloc((size_t)l->count + 1, sizeof *l->parts);
    if (!l->parts) {
        ir_fail(l->e, IR_ENOMEM, "out of memory");
        return false;
    }
    for (int p = 0; p < l->count; p++) {
        part *to = &l->parts[p];
        if (rt_elf_open(&to->elf, objects[p].data, objects[p].size, l->e) != IR_OK)
            return false;
        to->at = malloc(((size_t)to->elf.section_count + 1) * sizeof *to->at);
        if (!to->at) {
            ir_fail(l->e, IR_ENOMEM, "out of memory");
            return false;
        }
        for (int i = 0; i < to->elf.section_count; i++)
            to->at[i] = NOWHERE;
    }
    return true;
}

static void close_parts(linker *l)
{
    for (int p = 0; l->parts && p < l->count; p++)
        free(l->parts[p].at);
    free(l->parts);
    free(l->symbols);
}

static void link_parts(linker *l, rt_symbol *wanted, int wanted_count)
{
    place(l);
    if (failed(l))
        return;
    void *map = mmap(NULL, l->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) {
        ir_fail(l->e, IR_ENOMEM, "out of memory: %zu bytes of code", l->size);
        return;
    }
    l->map = map;
    copy_sections(l);
    write_jumps(l);
    collect_symbols(l);
    if (!failed(l))
        relocate_all(l);
    for (int i = 0; i < wanted_count && !failed(l); i++)
        wanted[i].address = find(l, wanted[i].name);
    if (!failed(l) && (mprotect(l->map, l->text, PROT_READ | PROT_EXEC) != 0 ||
                       mprotect(l->map + l->text, l->size - l->text, PROT_READ) != 0))
        ir_fail(l->e, IR_EUNSUPPORTED, "this system does not let memory be made executable");
}

/* Where the sections of part p lie, for debuggers. */
static void tell(linker *l, rt_code *code)
{
    code->told = calloc((size_t)l->count + 1, sizeof *code->told);
    for (int p = 0; code->told && p < l->count; p++) {
        int n = l->parts[p].elf.section_count;
        uintptr_t *at = calloc((size_t)n + 1, sizeof *at);
        for (int i = 0; at && i < n; i++)
            at[i] = l->parts[p].at[i] == NOWHERE ? 0 : (uintptr_t)(l->map + l->parts[p].at[i]);
        code->told[p] = at ? rt_debug_tell(&l->parts[p].elf, at) : NULL;
        code->told_count++;
        free(at);
    }
}

rt_code *rt_code_link(const rt_object *objects, int count, rt_symbol *wanted, int wanted_count, bool debug,
                      ir_error *e)
{
    linker l = {.count = count, .e = e};
    rt_code *code = calloc(1, sizeof *code);

    if (!code)
        ir_fail(e, IR_ENOMEM, "out of memory");
    else if (open_parts(&l, objects))
        link_parts(&l, wanted, wanted_count);
    if (code) {
        code->map = l.map;
        code->size = l.size;
        if (debug && !failed(&l))
            tell(&l, code);
    }
    close_parts(&l);
    if (code && e->status == IR_OK)
        return code;
    rt_code_free(code);
    return NULL;
}

void rt_code_free(void *p)
{
    rt_code *code = p;

    if (!code)
        return;
    for (int i = 0; i < code->told_count; i++)
        rt_debug_drop(code->told[i]);
    free(code->told);
    if (code->map)
        munmap(code->map, code->size);
    free(code);
}
