/* tests/engines/lib_cases.h: the table of cases that holds both engines together: for every op and every
 * composite, operand types and a builder over a sink.  The same builder is run on the eager sink and on a
 * graph. */
#ifndef TANDEM_TESTS_LIB_CASES_H
#define TANDEM_TESTS_LIB_CASES_H

#include "ir/ir.h"

enum { CASE_IN = 8, CASE_OUT = 4, CASE_PARAMETERS = 20 };

typedef struct op_case op_case;
/* Fills y from the front; entries stay 0 past the results, and all do on an error. */
typedef void case_build(ir_sink *s, const op_case *c, const ir_val *x, ir_val *y);

typedef enum {
    DATA_RANGE,   /* numbers in lo..hi */
    DATA_SPECIAL, /* infinities, NaN, both zeros, subnormals, huge values, .. in all pairs where there is room
                   */
    DATA_TIES     /* few different values */
} case_data;

typedef struct case_operand {
    ir_type type;
    double lo, hi; /* DATA_RANGE; integers: lo <= v < hi; lo == hi: the whole range of the dtype */
} case_operand;

struct op_case {
    ir_op op;             /* the op it is about; IR_OP_COUNT for composites */
    const char *function; /* composites: "softmax" of ir_c_softmax */
    case_build *build;
    int n;
    case_operand in[CASE_IN];
    case_data data;
    bool gradient; /* differentiable twice by its float operands */
    int64_t p[CASE_PARAMETERS];
};

typedef struct case_list {
    op_case *items;
    int count, room;
} case_list;

/* Appends; fails the test when out of memory. */
op_case *cases_add(case_list *l, const op_case *c);
void cases_pointwise(case_list *l); /* rows of ops.def: a new row needs no line here */
void cases_views(case_list *l);
void cases_reductions(case_list *l);
void cases_indexed(case_list *l);
void cases_scans(case_list *l);
void cases_custom(case_list *l);
void cases_products(case_list *l);
void cases_leaves(case_list *l);
void cases_composites(case_list *l);
void cases_norms(case_list *l);
void cases_attention(case_list *l);
void cases_structure(case_list *l);
void cases_optim(case_list *l);
void cases_losses(case_list *l);
void cases_activations(case_list *l);
void cases_all(case_list *l);
void cases_free(case_list *l);

/* Operand i of c gets its values, the same for the same seed.  Operands that are not the case's own
 * (upstream gradients) are DATA_RANGE in -1..1: i < 0. */
void case_fill(const op_case *c, int i, const ir_type *t, void *data, uint32_t seed);
/* "softmax f32[3,17]" */
char *case_text(const op_case *c, char *buf, size_t size);

/* An operand type from a list of extents; CASE_T(f32, 0) is a scalar. */
#define CASE_T(d, ...) case_type(IR_DT_##d, (const int64_t[]){__VA_ARGS__, 0})
ir_type case_type(ir_dtype d, const int64_t *dims_then_0);
ir_type case_as(ir_type t, ir_dtype d);

#endif
