/* tools/cora.c: see cora.h.  The counts are Cora's, so a shortened file doesn't pass. */
#include "tools/cora.h"

#include <stdlib.h>
#include <string.h>

#include "examples/lib_gcn.h"
#include "tools/textfile.h"

static const char help[] = "expected the Cora citation graph, cora.nodes.txt and cora.edges.txt (--data DIR; "
                           "docs/training.md says where to get them)";

/* "train val test -": the second word of a node. */
static bool read_split(textfile *f, cora_split *to)
{
    static const char *const names[] = {"-", "train", "val", "test"};
    char word[32];
    textfile_word(f, word, sizeof word);
    for (int i = 0; i < 4; i++)
        if (strcmp(word, names[i]) == 0) {
            *to = (cora_split)i;
            return true;
        }
    return cli_bad("%s:%d: expected a split (train, val, test or -), found '%s'", f->path, f->line, word) ==
           CLI_OK;
}

/* The node's words up to the end of the line, as a row of equal parts of 1. */
static bool read_words(textfile *f, float *x)
{
    int words = 0;
    long long w, least = 0;
    while (*(f->at += strspn(f->at, " \t\r")) != '\n' && *f->at) {
        if (!textfile_number(f, "an ascending word number", least, CORA_WORDS - 1, &w))
            return false;
        least = w + 1;
        x[w] = 1;
        words++;
    }
    for (int i = 0; i < CORA_WORDS; i++)
        x[i] = words ? x[i] / (float)words : 0;
    return textfile_line_end(f);
}

static bool read_node(textfile *f, cora *c, int i, int *trained)
{
    long long label;
    if (!textfile_number(f, "a label", 0, CORA_CLASSES - 1, &label) || !read_split(f, &c->split[i]) ||
        !read_words(f, c->x[i]))
        return false;
    c->label[i] = label;
    if (c->split[i] != CORA_TRAINING)
        return true;
    if (*trained == CORA_TRAIN)
        return cli_bad("%s:%d: expected %d nodes of the training split, found more", f->path, f->line - 1,
                       CORA_TRAIN) == CLI_OK;
    c->train[*trained] = i;
    c->train_label[(*trained)++] = label;
    return true;
}

/* The end of the file after `count` lines. */
static bool all_read(const textfile *f, int count, const char *what)
{
    if (textfile_at_end(f))
        return true;
    return cli_bad("%s:%d: expected %d %s, found more", f->path, f->line, count, what) == CLI_OK;
}

static bool read_nodes(textfile *f, cora *c)
{
    int trained = 0;
    for (int i = 0; i < CORA_NODES; i++) {
        if (textfile_at_end(f))
            return cli_bad("%s:%d: expected %d nodes, found %d", f->path, f->line, CORA_NODES, i) == CLI_OK;
        if (!read_node(f, c, i, &trained))
            return false;
    }
    if (trained != CORA_TRAIN)
        return cli_bad("%s:%d: expected %d nodes of the training split, found %d", f->path, f->line,
                       CORA_TRAIN, trained) == CLI_OK;
    return all_read(f, CORA_NODES, "nodes");
}

/* Citations are read as edges both ways; every node gets a loop. */
static bool read_edges(textfile *f, cora *c)
{
    int e = 0;
    for (int i = 0; i < CORA_CITATIONS; i++) {
        long long a, b;
        if (textfile_at_end(f))
            return cli_bad("%s:%d: expected %d edges, found %d", f->path, f->line, CORA_CITATIONS, i) ==
                   CLI_OK;
        if (!textfile_number(f, "a node", 0, CORA_NODES - 1, &a) ||
            !textfile_number(f, "a node", 0, CORA_NODES - 1, &b) || !textfile_line_end(f))
            return false;
        c->src[e] = a, c->dst[e++] = b;
        c->src[e] = b, c->dst[e++] = a;
    }
    for (int i = 0; i < CORA_NODES; i++, e++)
        c->src[e] = c->dst[e] = i;
    return all_read(f, CORA_CITATIONS, "edges");
}

cora *cora_read(const char *dir)
{
    textfile nodes, edges;
    if (!textfile_open(&nodes, dir, "cora.nodes.txt", help))
        return NULL;
    if (!textfile_open(&edges, dir, "cora.edges.txt", help)) {
        textfile_close(&nodes);
        return NULL;
    }
    cora *c = calloc(1, sizeof *c);
    int64_t *degree = malloc(CORA_NODES * sizeof *degree);
    bool room = c && degree, ok = room && read_nodes(&nodes, c) && read_edges(&edges, c);
    if (ok)
        gcn_normalise(c->src, c->dst, CORA_EDGES, CORA_NODES, degree, c->weight);
    else if (!room)
        cli_bad("out of memory");
    textfile_close(&nodes);
    textfile_close(&edges);
    free(degree);
    if (ok)
        return c;
    free(c);
    return NULL;
}
