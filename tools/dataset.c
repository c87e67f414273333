/* tools/dataset.c: reads IDX files (gzip, by zlib) and the built-in digits CSV (gzip).  Every length is
 * checked. */
#include "tools/dataset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

extern const unsigned char digits_csv_gz[];
extern const size_t digits_csv_gz_size;

enum {
    FASHION_TRAIN = 60000,
    FASHION_TEST = 10000,
    SIDE = 28,
    DIGITS = 1797,
    DIGITS_TRAIN = 1437,
    DIGIT_PIXELS = 64
};

static uint32_t big_endian(const unsigned char *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* The bytes after the header of an IDX file of unsigned bytes with the given dims; NULL + why. */
static unsigned char *read_idx(const char *dir, const char *file, uint32_t magic, const uint32_t *dims,
                               int rank, char *why, int why_size)
{
    char path[4096];
    unsigned char head[16];
    size_t bytes = 1;

    snprintf(path, sizeof path, "%s/%s", dir, file);
    gzFile f = gzopen(path, "rb");
    if (!f) {
        snprintf(why, (size_t)why_size, "%s: can't be opened", path);
        return NULL;
    }
    int head_bytes = 4 + 4 * rank;
    bool ok = gzread(f, head, (unsigned)head_bytes) == head_bytes && big_endian(head) == magic;
    for (int i = 0; i < rank; i++) {
        ok = ok && big_endian(head + 4 + 4 * i) == dims[i];
        bytes *= dims[i];
    }
    unsigned char *data = ok ? malloc(bytes) : NULL;
    bool complete = data && gzread(f, data, (unsigned)bytes) == (int)bytes && gzread(f, head, 1) == 0;
    gzclose(f);
    if (complete)
        return data;
    snprintf(why, (size_t)why_size, "%s: expected an IDX file of %u items, found %s", path, dims[0],
             !ok    ? "another header"
             : data ? "truncated, longer or damaged data"
                    : "no memory for it");
    free(data);
    return NULL;
}

static bool fashion_part(const char *dir, const char *images, const char *labels, uint32_t count, float **x,
                         int64_t **y, char *why, int why_size)
{
    const uint32_t dims[3] = {count, SIDE, SIDE};
    size_t pixels = (size_t)count * SIDE * SIDE;
    unsigned char *image = read_idx(dir, images, 0x803, dims, 3, why, why_size);
    unsigned char *label = image ? read_idx(dir, labels, 0x801, dims, 1, why, why_size) : NULL;

    *x = label ? malloc(pixels * sizeof **x) : NULL;
    *y = label ? malloc(count * sizeof **y) : NULL;
    bool ok = *x && *y;
    for (size_t i = 0; ok && i < pixels; i++)
        (*x)[i] = (float)image[i] / 255.0f;
    for (uint32_t i = 0; ok && i < count; i++) {
        (*y)[i] = label[i];
        if (label[i] > 9) {
            snprintf(why, (size_t)why_size, "%s/%s: label %u of item %u, expected 0 to 9", dir, labels,
                     label[i], i);
            ok = false;
        }
    }
    free(image);
    free(label);
    return ok;
}

bool dataset_fashion(dataset *d, const char *dir, char *why, int why_size)
{
    *d = (dataset){.name = "fashion",
                   .features = SIDE * SIDE,
                   .classes = 10,
                   .train_count = FASHION_TRAIN,
                   .test_count = FASHION_TEST};
    snprintf(why, (size_t)why_size, "out of memory");
    if (fashion_part(dir, "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", FASHION_TRAIN,
                     &d->train, &d->train_labels, why, why_size) &&
        fashion_part(dir, "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz", FASHION_TEST, &d->test,
                     &d->test_labels, why, why_size))
        return true;
    dataset_free(d);
    return false;
}

/* The whole CSV text, '\0' at the end; NULL when it can't be unpacked. */
static char *unpack(const unsigned char *gz, size_t size)
{
    enum { MOST = 1 << 20 };
    char *text = malloc(MOST);
    z_stream z = {.next_in = (unsigned char *)(uintptr_t)gz,
                  .avail_in = (unsigned)size,
                  .next_out = (unsigned char *)text,
                  .avail_out = MOST - 1};

    if (!text || inflateInit2(&z, 15 + 32) != Z_OK) {
        free(text);
        return NULL;
    }
    int end = inflate(&z, Z_FINISH);
    inflateEnd(&z);
    if (end == Z_STREAM_END) {
        text[z.total_out] = '\0';
        return text;
    }
    free(text);
    return NULL;
}

/* One line "p0,..,p63,label" into x, *label; the text after it, or NULL. */
static const char *digit_line(const char *p, float *x, int64_t *label)
{
    for (int i = 0; i <= DIGIT_PIXELS; i++) {
        char *end;
        double v = strtod(p, &end);
        if (end == p || v < 0 || v > 16)
            return NULL;
        if (i < DIGIT_PIXELS)
            x[i] = (float)(v / 16);
        else
            *label = (int64_t)v;
        p = end;
        if (i < DIGIT_PIXELS && *p++ != ',')
            return NULL;
    }
    while (*p == '\r' || *p == '\n')
        p++;
    return *label <= 9 ? p : NULL;
}

bool dataset_digits(dataset *d, char *why, int why_size)
{
    *d = (dataset){.name = "digits",
                   .features = DIGIT_PIXELS,
                   .classes = 10,
                   .train_count = DIGITS_TRAIN,
                   .test_count = DIGITS - DIGITS_TRAIN};
    char *text = unpack(digits_csv_gz, digits_csv_gz_size);
    const char *p = text;
    d->train = malloc(sizeof(float) * DIGITS_TRAIN * DIGIT_PIXELS);
    d->test = malloc(sizeof(float) * (DIGITS - DIGITS_TRAIN) * DIGIT_PIXELS);
    d->train_labels = malloc(sizeof(int64_t) * DIGITS_TRAIN);
    d->test_labels = malloc(sizeof(int64_t) * (DIGITS - DIGITS_TRAIN));
    bool room = d->train && d->test && d->train_labels && d->test_labels;
    for (int i = 0; room && p && i < DIGITS; i++) {
        int k = i < DIGITS_TRAIN ? i : i - DIGITS_TRAIN;
        p = digit_line(p, (i < DIGITS_TRAIN ? d->train : d->test) + (size_t)k * DIGIT_PIXELS,
                       (i < DIGITS_TRAIN ? d->train_labels : d->test_labels) + k);
    }
    bool ok = room && p && *p == '\0';
    free(text);
    if (ok)
        return true;
    snprintf(why, (size_t)why_size, "the built-in digits can't be read");
    dataset_free(d);
    return false;
}

void dataset_free(dataset *d)
{
    free(d->train);
    free(d->test);
    free(d->train_labels);
    free(d->test_labels);
    d->train = d->test = NULL;
    d->train_labels = d->test_labels = NULL;
}
