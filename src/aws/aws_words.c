/* SPDX-License-Identifier: Apache-2.0 */
/* A command line in words: blanks separate, quotes keep together, a backslash keeps the character behind it
 * (within double quotes only " and \). Nothing is expanded, so nothing in it is run. Pure; any thread. */
#include <stdlib.h>
#include <string.h>

#include "aws_search.h"
#include "text.h"

#define BLANKS " \t\r\n"

void aws_words_done(struct aws_words *words) {
  free(words->text);
  free(words->words);
  *words = (struct aws_words){0};
}

/* Reads what is quoted from behind the opening quote on. NULL: it is not closed. */
static const char *read_quoted(const char *in, char quote, char **out) {
  for (; *in && *in != quote; in++) {
    if (quote == '"' && *in == '\\' && (in[1] == '"' || in[1] == '\\')) in++;
    *(*out)++ = *in;
  }
  return *in ? in + 1 : NULL;
}

/* One word, ended by a NUL. NULL: a quote is not closed, or nothing follows a backslash. */
static const char *read_word(const char *in, char **out) {
  while (in && *in && !strchr(BLANKS, *in)) {
    if (*in == '"' || *in == '\'') {
      in = read_quoted(in + 1, *in, out);
      continue;
    }
    if (*in == '\\' && *++in == '\0') return NULL;
    *(*out)++ = *in++;
  }
  *(*out)++ = '\0';
  return in;
}

enum hoist_status aws_words_split(const char *command, struct aws_words *ret_words,
                                  struct hoist_error *err) {
  size_t size = strlen(command), count = 0;
  HOIST_AUTO(aws_words)
  struct aws_words w = {.text = malloc(size + 1), .words = calloc(size / 2 + 2, sizeof *w.words)};
  if (!w.text || !w.words) return hoist_fail_memory(err, "a command");
  char *out = w.text;
  const char *in = command + strspn(command, BLANKS);
  while (*in) {
    w.words[count++] = out;
    in = read_word(in, &out);
    if (!in)
      return hoist_fail(err, HOIST_INVALID,
                        "credential_process: a quote that is not closed, or a \\ at its end");
    in += strspn(in, BLANKS);
  }
  if (count == 0) return hoist_fail(err, HOIST_INVALID, "credential_process: no command");
  *ret_words = w;
  w = (struct aws_words){0};
  return HOIST_OK;
}
