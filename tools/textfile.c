/* tools/textfile.c: see textfile.h. */
#include "tools/textfile.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool all_ascii(textfile *f)
{
    f->line = 1;
    for (size_t i = 0; i < f->size; i++) {
        unsigned char c = (unsigned char)f->text[i];
        if (c > 126 || (c < 32 && c != '\n' && c != '\t' && c != '\r'))
            return cli_bad("%s:%d: expected ASCII text, found byte 0x%02x", f->path, f->line, c) == CLI_OK;
        f->line += c == '\n';
    }
    return true;
}

bool textfile_open(textfile *f, const char *dir, const char *name, const char *help)
{
    *f = (textfile){.line = 1};
    if (snprintf(f->path, sizeof f->path, "%s/%s", dir, name) >= (int)sizeof f->path)
        return cli_bad("--data: the folder's name is too long") == CLI_OK;
    if (access(f->path, R_OK) != 0)
        return cli_bad("%s: can't be opened: %s", f->path, help) == CLI_OK;
    f->text = cli_read_file(f->path, &f->size);
    if (!f->text)
        return false;
    bool ok = all_ascii(f);
    if (ok && f->size == 0)
        ok = cli_bad("%s:1: expected text, found an empty file", f->path) == CLI_OK;
    if (!ok)
        textfile_close(f);
    f->at = f->text;
    f->line = 1;
    return ok;
}

void textfile_close(textfile *f)
{
    free(f->text);
    f->text = NULL;
}

bool textfile_word(textfile *f, char *word, size_t size)
{
    f->at += strspn(f->at, " \t\r");
    size_t n = strcspn(f->at, " \t\r\n");
    snprintf(word, size, "%.*s", (int)(n < size ? n : size), f->at);
    f->at += n;
    return n > 0;
}

bool textfile_number(textfile *f, const char *what, long long lo, long long hi, long long *out)
{
    char word[32];
    bool found = textfile_word(f, word, sizeof word);
    if (found && cli_long(word, lo, hi, out))
        return true;
    return cli_bad("%s:%d: expected %s from %lld to %lld, found %s%s", f->path, f->line, what, lo, hi,
                   found ? "" : "the end of the line", word) == CLI_OK;
}

bool textfile_line_end(textfile *f)
{
    char word[32];
    if (textfile_word(f, word, sizeof word))
        return cli_bad("%s:%d: expected the end of the line, found %s", f->path, f->line, word) == CLI_OK;
    if (*f->at != '\n')
        return cli_bad("%s:%d: expected the end of the line, found the end of the file", f->path, f->line) ==
               CLI_OK;
    f->at++;
    f->line++;
    return true;
}

bool textfile_at_end(const textfile *f)
{
    return *f->at == '\0';
}
