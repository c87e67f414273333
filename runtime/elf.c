/* runtime/elf.c: see elf.h. */
#include "runtime/elf.h"

#include <string.h>

/* n entries of `unit` bytes at offset `at`, aligned for them, lie inside the object. */
static bool inside(const rt_elf *o, uint64_t at, uint64_t n, uint64_t unit)
{
    return at <= o->size && at % 8 == 0 && n <= (o->size - at) / unit;
}

static ir_status broken(ir_error *e, const char *what)
{
    return ir_fail(e, IR_EPARSE, "object: %s", what);
}

static bool is_our_kind(const Elf64_Ehdr *h)
{
    return memcmp(h->e_ident, ELFMAG, SELFMAG) == 0 && h->e_ident[EI_CLASS] == ELFCLASS64 &&
           h->e_ident[EI_DATA] == ELFDATA2LSB && h->e_type == ET_REL && h->e_machine == EM_X86_64;
}

static bool section_is_sound(const rt_elf *o, const Elf64_Shdr *s)
{
    if (s->sh_type != SHT_NOBITS && (s->sh_offset > o->size || s->sh_size > o->size - s->sh_offset))
        return false;
    if ((s->sh_flags & SHF_ALLOC) &&
        (s->sh_addralign > 4096 || (s->sh_addralign & (s->sh_addralign - 1)) || s->sh_size > INT32_MAX))
        return false;
    return s->sh_type != SHT_RELA ||
           (s->sh_info < (unsigned)o->section_count &&
            inside(o, s->sh_offset, s->sh_size / sizeof(Elf64_Rela), sizeof(Elf64_Rela)));
}

static ir_status open_symbols(rt_elf *o, const Elf64_Shdr *s, ir_error *e)
{
    const Elf64_Shdr *strings = &o->sections[s->sh_link < (unsigned)o->section_count ? s->sh_link : 0];
    size_t n = s->sh_size / sizeof(Elf64_Sym);

    if (o->symbols || !inside(o, s->sh_offset, n, sizeof(Elf64_Sym)) || strings->sh_type != SHT_STRTAB ||
        strings->sh_size == 0 || o->data[strings->sh_offset + strings->sh_size - 1] != 0)
        return broken(e, "its symbol table is damaged");
    o->symbols = (const void *)(o->data + s->sh_offset);
    o->symbol_count = n;
    o->strings = (const char *)o->data + strings->sh_offset;
    o->string_bytes = strings->sh_size;
    return IR_OK;
}

static bool symbols_are_sound(const rt_elf *o)
{
    for (size_t i = 0; i < o->symbol_count; i++) {
        const Elf64_Sym *s = &o->symbols[i];
        bool somewhere = s->st_shndx < o->section_count || s->st_shndx == SHN_ABS;
        if (s->st_name >= o->string_bytes || !somewhere)
            return false;
        if (s->st_shndx < o->section_count && s->st_value > o->sections[s->st_shndx].sh_size &&
            s->st_shndx != SHN_UNDEF)
            return false;
    }
    return true;
}

ir_status rt_elf_open(rt_elf *o, const void *data, size_t size, ir_error *e)
{
    const Elf64_Ehdr *h = data;

    *o = (rt_elf){.data = data, .size = size};
    if ((uintptr_t)data % 8 != 0 || size < sizeof *h || !is_our_kind(h))
        return broken(e, "not a relocatable ELF object for x86-64");
    if (h->e_shentsize != sizeof(Elf64_Shdr) || !inside(o, h->e_shoff, h->e_shnum, sizeof(Elf64_Shdr)))
        return broken(e, "its section table is damaged");
    o->sections = (const void *)(o->data + h->e_shoff);
    o->section_count = h->e_shnum;
    for (int i = 0; i < o->section_count; i++)
        if (!section_is_sound(o, &o->sections[i]))
            return broken(e, "a section reaches outside it");
    for (int i = 0; i < o->section_count; i++)
        if (o->sections[i].sh_type == SHT_SYMTAB && open_symbols(o, &o->sections[i], e) != IR_OK)
            return e->status;
    return symbols_are_sound(o) ? IR_OK : broken(e, "a symbol points outside it");
}

const char *rt_elf_symbol_name(const rt_elf *o, const Elf64_Sym *s)
{
    return o->strings + s->st_name;
}

const Elf64_Rela *rt_elf_relocations(const rt_elf *o, const Elf64_Shdr *s, size_t *count)
{
    *count = s->sh_size / sizeof(Elf64_Rela);
    return (const void *)(o->data + s->sh_offset);
}
