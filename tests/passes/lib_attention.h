/* tests/passes/lib_attention.h: graphs of attention, from which the pass chain makes chains. */
#ifndef TANDEM_TESTS_LIB_ATTENTION_H
#define TANDEM_TESTS_LIB_ATTENTION_H

#include "ir/ir.h"

typedef struct attention_case {
    ir_dtype dtype;
    int64_t batch, heads, queries, keys, width;
    bool causal, mask; /* mask: [batch, 1, 1, keys], bool */
    int gradients;     /* 1: of the sum of the result, for every operand; 2: of those, too */
} attention_case;

/* scaled_dot_product_attention of inputs q, k and v, its result output `y`. */
ir_graph *attention_graph(const attention_case *c);

extern const attention_case attention_cases[];
extern const int attention_case_count;

#endif
