/* SPDX-License-Identifier: Apache-2.0 */
/* A locale whose numbers look unlike those of C, where the machine has one. */
#ifndef HOIST_TESTS_NUMERIC_LOCALE_H
#define HOIST_TESTS_NUMERIC_LOCALE_H

#include <locale.h>
#include <stdbool.h>
#include <stddef.h>

/** First a decimal separator of two bytes, then a comma. Until setlocale(LC_NUMERIC, "C"). */
static inline bool numeric_locale_begin(void) {
  static const char *const names[] = {"ps_AF.UTF-8", "ps_AF", "de_DE.UTF-8", "de_DE",
                                      "fr_FR.UTF-8"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (setlocale(LC_NUMERIC, names[i])) return true;
  return false;
}
#endif
