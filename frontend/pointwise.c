/* frontend/pointwise.c: the public activations and pointwise composites (tandem/pointwise.h): each is the
 * door around a composite of ir/compose_activation.c. */
#include "frontend/fe.h"
#include "ir/compose.h"

/* A function of x and numbers. */
#define NUMBERS(name, parameters, ...)                                    \
    tdm_tensor *tdm_##name parameters                                     \
    {                                                                     \
        fe_call c;                                                        \
        if (!fe_begin(&c, fe_context_of(x, NULL, NULL), #name, at, true)) \
            return fe_end(&c, 0);                                         \
        ir_val v = fe_use(&c, x, "x");                                    \
        return fe_end(&c, v ? ir_c_##name(__VA_ARGS__) : 0);              \
    }
NUMBERS(leaky_relu, (tdm_tensor * x, double slope, tdm_loc at), c.s, v, slope)
NUMBERS(elu, (tdm_tensor * x, double alpha, tdm_loc at), c.s, v, alpha)
NUMBERS(celu, (tdm_tensor * x, double alpha, tdm_loc at), c.s, v, alpha)
NUMBERS(softplus, (tdm_tensor * x, double beta, double threshold, tdm_loc at), c.s, v, beta, threshold)
NUMBERS(hardtanh, (tdm_tensor * x, double lo, double hi, tdm_loc at), c.s, v, lo, hi)
#define X(name) NUMBERS(name, (tdm_tensor * x, tdm_loc at), c.s, v)
TDM_ACTIVATIONS(X)
#undef X

tdm_tensor *tdm_prelu(tdm_tensor *x, tdm_tensor *w, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(x, w, NULL), "prelu", at, true))
        return fe_end(&c, 0);
    ir_val vx = fe_use(&c, x, "x"), vw = fe_use(&c, w, "w");
    return fe_end(&c, ir_c_prelu(c.s, vx, vw));
}

tdm_tensor *tdm_lerp(tdm_tensor *x, tdm_tensor *z, tdm_tensor *w, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(x, z, w), "lerp", at, true))
        return fe_end(&c, 0);
    ir_val vx = fe_use(&c, x, "x"), vz = fe_use(&c, z, "z"), vw = fe_use(&c, w, "w");
    return fe_end(&c, ir_c_lerp(c.s, vx, vz, vw));
}

tdm_tensor *tdm_remainder(tdm_tensor *x, tdm_tensor *z, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(x, z, NULL), "remainder", at, true))
        return fe_end(&c, 0);
    ir_val vx = fe_use(&c, x, "x"), vz = fe_use(&c, z, "z");
    return fe_end(&c, ir_c_remainder(c.s, vx, vz));
}
