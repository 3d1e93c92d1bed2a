/* SPDX-License-Identifier: Apache-2.0 */
/* Breaking lines between words. Main thread. */
#include "paragraph.h"

#include <stdlib.h>
#include <string.h>

#include "auto.h"
#include "glyph.h"

/* Prints a word of `size` bytes at column `at` (0: the line has none yet); returns the column behind it. */
static size_t print_word(struct cli *cli, char *word, size_t size, size_t column, size_t at) {
  char behind = word[size];
  word[size] = '\0';
  size_t columns = glyph_columns(word);
  bool breaks = at > 0 && column + at + 1 + columns > cli->out_term.width;
  if (breaks)
    fprintf(cli->out, "\n%*s", (int)column, "");
  else if (at > 0)
    fputc(' ', cli->out);
  fputs(word, cli->out);
  word[size] = behind;
  return (breaks || at == 0 ? 0 : at + 1) + columns;
}

static void print_wrapped(struct cli *cli, size_t column, char *text) {
  size_t at = 0;
  for (char *word = text; *word;) {
    size_t size = strcspn(word, " ");
    at = print_word(cli, word, size, column, at);
    word += size;
    word += strspn(word, " ");
  }
}

void paragraph_print(struct cli *cli, size_t column, void (*put)(struct cli *cli, const void *what),
                     const void *what) {
  HOIST_AUTO(mem) char *text = NULL;
  size_t size = 0;
  FILE *out = cli->out, *memory = cli->out_term.tty ? open_memstream(&text, &size) : NULL;
  if (!memory) {
    put(cli, what);
    return;
  }
  cli->out = memory;
  put(cli, what);
  cli->out = out;
  if (fclose(memory) == 0) print_wrapped(cli, column, text);
}
