/* runtime/elf.h: a relocatable object for x86-64, as codegen makes it, with every length checked.  Objects
 * also come from files that anything may have happened to. */
#ifndef TANDEM_RT_ELF_H
#define TANDEM_RT_ELF_H

#include <elf.h>

#include "ir/ir.h"

/* Views into the object's bytes, which must outlive it and begin at a multiple of 8. */
typedef struct rt_elf {
    const unsigned char *data;
    size_t size;
    const Elf64_Shdr *sections;
    int section_count;
    const Elf64_Sym *symbols;
    size_t symbol_count;
    const char *strings; /* names of symbols; ends with a 0 */
    size_t string_bytes;
} rt_elf;

ir_status rt_elf_open(rt_elf *o, const void *data, size_t size, ir_error *e);
const char *rt_elf_symbol_name(const rt_elf *o, const Elf64_Sym *s);
/* The entries of a section of kind SHT_RELA. */
const Elf64_Rela *rt_elf_relocations(const rt_elf *o, const Elf64_Shdr *s, size_t *count);

#endif
