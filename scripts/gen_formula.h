/* scripts/gen_formula.h: gradient rules of ops.def as mathematics. */
#ifndef TANDEM_SCRIPTS_GEN_FORMULA_H
#define TANDEM_SCRIPTS_GEN_FORMULA_H

#include <stddef.h>

/* rule "mul(dy, sub(k(y, 1), mul(y, y)))" -> buf "dy (1 - y^2)".  0: the rule can't be read. */
int formula(const char *rule, char *buf, size_t size);

#endif
