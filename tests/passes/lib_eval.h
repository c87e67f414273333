/* tests/passes/lib_eval.h: what folding computes with in tests: the eager engine on one thread. */
#ifndef TANDEM_TESTS_LIB_EVAL_H
#define TANDEM_TESTS_LIB_EVAL_H

#include "passes/passes.h"

pass_eval_fn test_eval;

#endif
