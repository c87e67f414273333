/* tools/difference.h: how far two tensors of one type are apart.  NaN equals NaN (docs/numerics.md). */
#ifndef TANDEM_DIFFERENCE_H
#define TANDEM_DIFFERENCE_H

#include "tools/cli.h"

typedef struct difference {
    bool equal; /* the same bits everywhere */
    /* units in the last place; integers: the difference; inf: NaN against a number, or another type */
    double max_ulp;
    double max_abs;
    int64_t first; /* flat index of the first element that differs, -1 */
    double a, b;   /* the two values there */
    bool within;   /* |a - b| <= atol + rtol |b| everywhere */
} difference;

difference difference_of(const tdm_tensor *a, const tdm_tensor *b, double rtol, double atol);

#endif
