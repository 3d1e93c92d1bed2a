/* SPDX-License-Identifier: Apache-2.0 */
/* Other names of models: "yolov8n-640" for "coco/3", "clip" for the version of it that is taken where none is named.
 * The table is aliases.json; a file of the user's may add to it, change it and take from it. */
#ifndef HOIST_PLAN_ALIAS_H
#define HOIST_PLAN_ALIAS_H

#include <stddef.h>

#include "auto.h"
#include "err.h"

#define ALIAS_MAX_FILE_BYTES (1u << 20)

extern const char alias_builtin[]; /* the text of aliases.json */

struct alias_table; /* immutable; any thread */

/** The built-in table, changed by a JSON object {"name": "id", …}; null in place of an id removes a name.
 *  Errors: INVALID it is no such object, or a name leads back to itself: names the place · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status alias_table_parse(const char *json, size_t size,
                                                     struct alias_table **ret_table,
                                                     struct hoist_error *err);
/** The same out of a file.
 *  @param path  NULL: the built-in table alone
 *  Errors: INVALID as alias_table_parse, or the file cannot be read · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status alias_table_new(const char *path, struct alias_table **ret_table,
                                                   struct hoist_error *err);
void alias_table_free(struct alias_table *table);
HOIST_DEFINE_AUTO(alias_table, struct alias_table, alias_table_free)

/** The id that `name` stands for, which may be `name` itself; borrowed from the table or the caller. */
const char *alias_resolve(const struct alias_table *table, const char *name);

#endif
