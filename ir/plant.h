/* ir/plant.h: deliberate errors, for tests of `tandem compare`.  They are in no library and in no command but
 * tests/tandem-planted, where $TANDEM_PLANT names the one that is made. */
#ifndef TANDEM_IR_PLANT_H
#define TANDEM_IR_PLANT_H

#include <stdbool.h>

#ifdef TANDEM_PLANTS
#include <stdlib.h>
#include <string.h>

static inline bool ir_planted(const char *name)
{
    const char *chosen = getenv("TANDEM_PLANT");

    return chosen && !strcmp(chosen, name);
}
#define IR_PLANTED(name) ir_planted(name)
#else
#define IR_PLANTED(name) false
#endif

#endif
