/* ir/shared.h: bytes that several graphs hold: the data of big constants.  A pass that keeps a constant keeps
 * its bytes where they are, so that weights are copied once for all passes, and a program reads them there.
 *
 *   s = ir_shared_new(n);  fill(ir_shared_data(s));  a.constant.shared = s;  ir_graph_append(..);
 *   ir_shared_release(s);     the graph holds it now
 *
 * Once a graph holds them they don't change.  Their owner may stay one of the holders, and has them back when
 * it is the last (runtime/share.c: eager tensors). */
#ifndef TANDEM_IR_SHARED_H
#define TANDEM_IR_SHARED_H

#include <stdbool.h>
#include <stddef.h>

typedef struct ir_shared ir_shared;
typedef void ir_shared_drop(void *data, size_t bytes);

ir_shared *ir_shared_new(size_t bytes); /* held once, not initialised; NULL when out of memory */
/* Bytes of the caller's at a multiple of 64, held once: the last holder's thread drops them.  NULL when out
 * of memory: they stay the caller's. */
ir_shared *ir_shared_adopt(void *data, size_t bytes, ir_shared_drop *drop);
void *ir_shared_data(ir_shared *s); /* at a multiple of 64 bytes */
void ir_shared_hold(ir_shared *s);
void ir_shared_release(ir_shared *s);     /* the last one frees it; NULL is fine */
bool ir_shared_alone(const ir_shared *s); /* the caller is the only holder, so the bytes may be changed */
/* True: the caller was the only holder, s is gone and what it adopted is the caller's again. */
bool ir_shared_take(ir_shared *s);

#endif
