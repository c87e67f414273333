/* ir/plant.h: deliberate errors, for tests of `tandem compare`.  They are in no library and in no command but
 * tests/tandem-planted, where $TANDEM_PLANT names the one that is made, and in builds with
 * -DTANDEM_PLANT=NAME, which make that one unless the environment names another. */
#ifndef TANDEM_IR_PLANT_H
#define TANDEM_IR_PLANT_H

#include <stdbool.h>

#ifdef TANDEM_PLANTS
#include <stdlib.h>
#include <string.h>

#ifndef TANDEM_PLANT_DEFAULT
#define TANDEM_PLANT_DEFAULT ""
#endif

static inline bool ir_planted(const char *name)
{
    const char *chosen = getenv("TANDEM_PLANT");

    chosen = chosen ? chosen : TANDEM_PLANT_DEFAULT;
    size_t n = strlen(chosen);

    /* simplify: all simplify-.. */
    return n && !strncmp(chosen, name, n) && (name[n] == '\0' || name[n] == '-');
}
#define IR_PLANTED(name) ir_planted(name)
#else
#define IR_PLANTED(name) false
#endif

#endif
