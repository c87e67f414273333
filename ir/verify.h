/* ir/verify.h: what verify.c and verify_plan.c share.  Internal to ir/; the door is ir_verify of ir.h. */
#ifndef TANDEM_IR_VERIFY_H
#define TANDEM_IR_VERIFY_H

#include "ir.h"

/* Fails with "node %7 (relu, model.c:14): message". */
__attribute__((format(printf, 5, 6))) ir_status ir_verify_fail(const ir_graph *g, ir_ref r, ir_status s,
                                                               ir_error *e, const char *fmt, ...);
/* verify_plan.c: kernels and buffers of a graph whose nodes and results are sound. */
ir_status ir_verify_plan(const ir_graph *g, ir_error *e);

#endif
