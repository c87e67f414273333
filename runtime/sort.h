/* runtime/sort.h: the one order in which both engines sort (numerics rule 14).  Compiled code calls
 * rt_argsort_row too: it is one of the functions that runtime/code.c binds. */
#ifndef TANDEM_RT_SORT_H
#define TANDEM_RT_SORT_H

#include "ir/ir.h"

static inline int64_t rt_sort_how(ir_dtype d, bool descending)
{
    return 2 * (int64_t)d + descending;
}

/* y[0..n) = the places of x[0..n) in sorted order; how: rt_sort_how.  Needs no memory but y. */
void rt_argsort_row(int64_t *y, const void *x, int64_t n, int64_t how);

#endif
