/* tools/dataset.h: the built-in training data: Fashion-MNIST and the UCI digits, as floats and labels. */
#ifndef TANDEM_DATASET_H
#define TANDEM_DATASET_H

#include <stdbool.h>
#include <stdint.h>

typedef struct dataset {
    const char *name;
    int features, classes, train_count, test_count;
    float *train, *test;                 /* [count, features], pixels in 0..1 */
    int64_t *train_labels, *test_labels; /* [count] */
} dataset;

/* Fashion-MNIST from the IDX files (gzip) in folder `dir`.  False + a message in why when the files are not
 * there or not right. */
bool dataset_fashion(dataset *d, const char *dir, char *why, int why_size);
/* The digits that are built into the command: first 1,437 train, last 360 test. */
bool dataset_digits(dataset *d, char *why, int why_size);
void dataset_free(dataset *d);

#endif
