/* tests/engines/lib_composites.c: see lib_composites.h. */
#include "tests/engines/lib_composites.h"

void cases_add_composite(case_list *l, const char *name, case_build *build, bool gradient, bool special,
                         op_case c)
{
    c.op = IR_OP_COUNT;
    c.function = name;
    c.build = build;
    int skipped = l->count % 2 ? IR_DT_f16 : IR_DT_bf16; /* cases take turns with the halves */
    for (int d = IR_DT_f16; d <= IR_DT_f64; d++) {
        op_case k = c;
        if (d == skipped)
            continue;
        for (k.n = 0; k.n < CASE_IN && (c.in[k.n].type.rank || c.in[k.n].type.dtype); k.n++) {
            case_operand *o = &k.in[k.n];
            if (o->type.dtype != IR_DT_f32)
                continue;
            if (o->lo == o->hi)
                o->lo = -3, o->hi = 3;
            o->type.dtype = (uint8_t)d;
        }
        k.gradient = gradient;
        k.data = special && d == IR_DT_f32 ? DATA_SPECIAL : DATA_RANGE;
        cases_add(l, &k);
    }
}
