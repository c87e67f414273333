/* ir/kernel.c: names of kernel and buffer kinds, as the text form and the reports write them. */
#include "ir.h"

const char *ir_kernel_kind_name(ir_kernel_kind k)
{
    static const char *const names[IR_K_COUNT] = {[IR_K_LOOP] = "loop",
                                                  [IR_K_ROW] = "row",
                                                  [IR_K_OUTER] = "outer",
                                                  [IR_K_CONTRACT] = "contract",
                                                  [IR_K_INDEX] = "index"};
    return (unsigned)k < IR_K_COUNT ? names[k] : "?";
}

const char *ir_buffer_kind_name(ir_buffer_kind k)
{
    static const char *const names[] = {
        [IR_B_NONE] = "none",         [IR_B_ARGUMENT] = "argument", [IR_B_OUTPUT] = "output",
        [IR_B_CONSTANT] = "constant", [IR_B_ARENA] = "arena",       [IR_B_VARIABLE] = "variable"};
    return (unsigned)k < sizeof names / sizeof *names ? names[k] : "?";
}
