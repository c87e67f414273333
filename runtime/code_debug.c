/* runtime/code_debug.c: names and lines of compiled code for gdb and perf.
 *
 *   gdb    an object in memory, in the list that gdb reads when __jit_debug_register_code is called ("JIT
 *          Compilation Interface" in gdb's manual); its section headers say where the sections lie
 *   perf   /tmp/perf-PID.map: address, size and name of every function
 *
 * The list is the one piece of state that the interface wants to be global: a lock guards it. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/code.h"
#include "runtime/elf.h"

/* ---- gdb: names, layouts and numbers are the interface's ---- */

typedef struct jit_code_entry {
    struct jit_code_entry *next_entry, *prev_entry;
    const char *symfile_addr;
    uint64_t symfile_size;
} jit_code_entry;

typedef struct jit_descriptor {
    uint32_t version;
    uint32_t action_flag; /* 0 nothing, 1 register, 2 unregister */
    jit_code_entry *relevant_entry, *first_entry;
} jit_descriptor;

void __jit_debug_register_code(void);
extern jit_descriptor __jit_debug_descriptor;

jit_descriptor __jit_debug_descriptor = {.version = 1};

/* gdb stops here: the call must be there, and empty. */
__attribute__((noinline)) void __jit_debug_register_code(void)
{
    __asm__ volatile("" ::: "memory");
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void announce(uint32_t action, jit_code_entry *entry)
{
    __jit_debug_descriptor.action_flag = action;
    __jit_debug_descriptor.relevant_entry = entry;
    __jit_debug_register_code();
    __jit_debug_descriptor.action_flag = 0;
}

static void append(jit_code_entry *entry)
{
    pthread_mutex_lock(&lock);
    entry->next_entry = __jit_debug_descriptor.first_entry;
    if (entry->next_entry)
        entry->next_entry->prev_entry = entry;
    __jit_debug_descriptor.first_entry = entry;
    announce(1, entry);
    pthread_mutex_unlock(&lock);
}

/* A copy of the object behind the entry, whose section headers hold addresses. */
static jit_code_entry *entry_of(const rt_elf *o, const uintptr_t *at)
{
    jit_code_entry *entry = calloc(1, sizeof *entry + o->size);
    size_t table = (size_t)((const unsigned char *)o->sections - o->data);

    if (!entry)
        return NULL;
    char *copy = (char *)(entry + 1);
    memcpy(copy, o->data, o->size);
    Elf64_Shdr *sections = (void *)(copy + table);
    for (int i = 0; i < o->section_count; i++)
        sections[i].sh_addr = at[i];
    entry->symfile_addr = copy;
    entry->symfile_size = o->size;
    return entry;
}

/* ---- perf ---- */

static void write_names(const rt_elf *o, const uintptr_t *at)
{
    char path[64];

    snprintf(path, sizeof path, "/tmp/perf-%ld.map", (long)getpid());
    FILE *f = fopen(path, "a");
    for (size_t i = 0; f && i < o->symbol_count; i++) {
        const Elf64_Sym *s = &o->symbols[i];
        if (ELF64_ST_TYPE(s->st_info) == STT_FUNC && s->st_shndx < o->section_count && at[s->st_shndx])
            fprintf(f, "%llx %llx %s\n", (unsigned long long)(at[s->st_shndx] + s->st_value),
                    (unsigned long long)s->st_size, rt_elf_symbol_name(o, s));
    }
    if (f)
        fclose(f);
}

void *rt_debug_tell(const rt_elf *o, const uintptr_t *at)
{
    jit_code_entry *entry = entry_of(o, at);

    write_names(o, at);
    if (entry)
        append(entry);
    return entry;
}

void rt_debug_drop(void *told)
{
    jit_code_entry *entry = told;

    if (!entry)
        return;
    pthread_mutex_lock(&lock);
    if (entry->prev_entry)
        entry->prev_entry->next_entry = entry->next_entry;
    else
        __jit_debug_descriptor.first_entry = entry->next_entry;
    if (entry->next_entry)
        entry->next_entry->prev_entry = entry->prev_entry;
    announce(2, entry);
    pthread_mutex_unlock(&lock);
    free(entry);
}
