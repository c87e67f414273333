/* tests/numerics/check.h: helpers of the numerics tests: random operands in every layout, and rt_compute at
 * every instruction set level of this CPU, on one and two threads, against the reference. */
#ifndef TANDEM_TESTS_NUMERICS_CHECK_H
#define TANDEM_TESTS_NUMERICS_CHECK_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "runtime/array.h"

typedef enum { PLAIN, PERMUTED, GAPS, REPEATED, LAYOUTS } num_layout;

/* Group fixtures: engines and a pool. */
int num_setup(void **state);
int num_teardown(void **state);

int64_t num_pick(int64_t n); /* 0 <= result < n */
double num_uniform(double lo, double hi);
ir_type num_type(ir_dtype d, int rank, ...); /* extents as int */
/* New memory for an array of type t in the given layout, filled from [lo, hi) and, if asked, with special
 * values. */
rt_array num_operand(const ir_type *t, num_layout how, double lo, double hi, bool special);
/* Infers, computes with every engine, compares bits, frees the operands' data; x has room for three. */
void num_check(ir_op op, const ir_attrs *a, rt_array *x, int n);

#endif
