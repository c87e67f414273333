/* examples/lib_gcn.h: graph convolution written once for both engines: `tandem train cora` and the benchmark
 * use it. */
#ifndef TANDEM_LIB_GCN_H
#define TANDEM_LIB_GCN_H

#include <tandem/tandem.h>

/* A sparse matrix A of the graph: A[dst[e], src[e]] += weight[e]. */
typedef struct gcn_edges {
    tdm_tensor *src, *dst; /* i32 or i64 [edges] */
    tdm_tensor *weight;    /* [edges] */
} gcn_edges;

/* A (x w^T) + b: x [nodes, in], w [out, in], b [out] -> [nodes, out].  Kipf and Welling 2017 (arXiv
 * 1609.02907) take A = D^-1/2 (A + I) D^-1/2. */
tdm_tensor *gcn_layer(const gcn_edges *a, tdm_tensor *x, tdm_tensor *w, tdm_tensor *b);
/* The weights 1 / sqrt(degree[src] degree[dst]) of that A, degree = edges that come in; self-loops must be
 * among the edges.  degree: room for nodes counts. */
void gcn_normalise(const int64_t *src, const int64_t *dst, int64_t edges, int64_t nodes, int64_t *degree,
                   float *weight);

#endif
