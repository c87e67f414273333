/* ir/freedom.c: the table of freedoms (freedom.h). */
#include "ir/freedom.h"

const ir_freedom ir_freedoms[IR_FREEDOM_COUNT] = {
#define X(name, what) {#name, what},
    IR_FREEDOMS(X)
#undef X
};
