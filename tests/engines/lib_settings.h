/* tests/engines/lib_settings.h: contexts of the settings that must not change a bit, and graphs of ir/ handed
 * to the public functions. */
#ifndef TANDEM_TESTS_LIB_SETTINGS_H
#define TANDEM_TESTS_LIB_SETTINGS_H

#include <tandem/inspect.h>
#include <tandem/tandem.h>

#include "ir/ir.h"

enum { SETTINGS = 9 };

/* The context of setting i, made at its first use and kept; that of setting 0 where this CPU lacks the isa.
 */
tdm_context *settings_context(int i);
const char *settings_text(int i); /* "x86-64-v3, 16 lanes, 2 threads" */
void settings_free(void);

/* g as a public graph of ctx that does not own it. */
tdm_graph *settings_graph(tdm_context *ctx, ir_graph *g);

#endif
