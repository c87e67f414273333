/* runtime/code.h: objects made by codegen, linked into memory and run: all that running compiled code needs,
 * without LLVM. */
#ifndef TANDEM_RT_CODE_H
#define TANDEM_RT_CODE_H

#include "ir/ir.h"

/* What compiled code calls rt_argsort_row, rt_races_wrote and rt_races_read. */
#define RT_ARGSORT_SYMBOL "tandem_argsort"
#define RT_WROTE_SYMBOL "tandem_wrote"
#define RT_READ_SYMBOL "tandem_read"

typedef struct rt_object {
    const void *data; /* at a multiple of 8 */
    size_t size;
} rt_object;

typedef struct rt_symbol {
    const char *name;
    void *address;
} rt_symbol;

typedef struct rt_code rt_code;

/* Links the objects with each other and with the few C functions that compiled code may call (code.c), and
 * fills the addresses of wanted[].  The objects may go afterwards.  debug: gdb and perf learn the names.
 * NULL + error: an object is damaged, or holds what codegen does not make. */
rt_code *rt_code_link(const rt_object *objects, int count, rt_symbol *wanted, int wanted_count, bool debug,
                      ir_error *e);
void rt_code_free(void *code);

/* code_debug.c: tells gdb about the object at whose sections `at` they lie (0: nowhere), and perf about its
 * functions; without either, there is just less to see.  Returns what rt_debug_drop takes. */
struct rt_elf;
void *rt_debug_tell(const struct rt_elf *o, const uintptr_t *at);
void rt_debug_drop(void *told);

#endif
