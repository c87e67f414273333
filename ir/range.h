/* ir/range.h: what the graph alone says of a value's range. */
#ifndef TANDEM_IR_RANGE_H
#define TANDEM_IR_RANGE_H

#include "ir/ir.h"

/* No element of r is above 0 (NaN may be): a value less its maximum along some axes, -|x|, min(x, c) with
 * c <= 0.  False: not known. */
bool ir_never_positive(const ir_graph *g, ir_ref r);

#endif
