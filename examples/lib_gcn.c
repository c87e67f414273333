/* examples/lib_gcn.c: see lib_gcn.h. */
#include "lib_gcn.h"

#include <math.h>
#include <string.h>

tdm_tensor *gcn_layer(const gcn_edges *a, tdm_tensor *x, tdm_tensor *w, tdm_tensor *b)
{
    tdm_tensor *h = tdm_linear(x, w, NULL);
    tdm_tensor *weight = tdm_reshape(a->weight, tdm_shape(-1, 1));
    tdm_tensor *sent = tdm_mul(tdm_gather(h, a->src), weight);
    return tdm_scatter_add(tdm_broadcast_to(b, tdm_dims_of(h)), a->dst, sent);
}

void gcn_normalise(const int64_t *src, const int64_t *dst, int64_t edges, int64_t nodes, int64_t *degree,
                   float *weight)
{
    memset(degree, 0, (size_t)nodes * sizeof *degree);
    for (int64_t e = 0; e < edges; e++)
        degree[dst[e]]++;
    for (int64_t e = 0; e < edges; e++)
        weight[e] = (float)(1 / sqrt((double)degree[src[e]] * (double)degree[dst[e]]));
}
