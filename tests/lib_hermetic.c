/* tests/lib_hermetic.c: part of every test program: a test started by hand uses no disk cache either, unless
 * the environment says which. */
#include <stdlib.h>

__attribute__((constructor)) static void no_cache(void)
{
    setenv("TANDEM_CACHE", "off", 0);
}
