/* tools/cora.h: reads the Cora citation graph (docs/training.md says where it comes from and how it is
 * written). */
#ifndef TANDEM_CORA_H
#define TANDEM_CORA_H

#include <stdbool.h>
#include <stdint.h>

enum {
    CORA_NODES = 2708,
    CORA_WORDS = 1433,
    CORA_CLASSES = 7,
    CORA_CITATIONS = 5278,
    CORA_EDGES = 2 * CORA_CITATIONS + CORA_NODES, /* both ways, then a loop at each node */
    CORA_TRAIN = 140
};

typedef enum { CORA_NONE, CORA_TRAINING, CORA_VALIDATION, CORA_TEST } cora_split;

typedef struct cora {
    float x[CORA_NODES][CORA_WORDS]; /* words present, each row divided by their number */
    int64_t label[CORA_NODES];
    cora_split split[CORA_NODES];
    int64_t train[CORA_TRAIN], train_label[CORA_TRAIN]; /* nodes of the training split */
    int64_t src[CORA_EDGES], dst[CORA_EDGES];
    float weight[CORA_EDGES]; /* D^-1/2 (A + I) D^-1/2 */
} cora;

/* cora.nodes.txt and cora.edges.txt of folder dir; freed by free.  NULL after a message. */
cora *cora_read(const char *dir);

#endif
