/* tools/textfile.h: a text file of training data, read line by line, word by word; every refusal names file
 * and line. */
#ifndef TANDEM_TEXTFILE_H
#define TANDEM_TEXTFILE_H

#include "tools/cli.h"

typedef struct textfile {
    char path[4096];
    char *text; /* all of it, ASCII, '\0' at the end */
    size_t size;
    const char *at; /* next unread character */
    int line;
} textfile;

/* DIR/name.  A file that is missing is refused with `help`; one that is empty or not ASCII text, by file and
 * line. False after a message. */
bool textfile_open(textfile *f, const char *dir, const char *name, const char *help);
void textfile_close(textfile *f);
/* The line's next word (cut to size); false at the end of the line. */
bool textfile_word(textfile *f, char *word, size_t size);
/* The line's next word as a number in [lo, hi].  False after a message that says what was expected. */
bool textfile_number(textfile *f, const char *what, long long lo, long long hi, long long *out);
/* The line must end here.  False after a message. */
bool textfile_line_end(textfile *f);
bool textfile_at_end(const textfile *f);

#endif
