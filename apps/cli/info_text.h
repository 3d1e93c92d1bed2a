/* SPDX-License-Identifier: Apache-2.0 */
/* A model's description, for people and for programs. */
#ifndef HOIST_CLI_INFO_TEXT_H
#define HOIST_CLI_INFO_TEXT_H

#include "cli.h"

/** The page of `hoist info`. `now_unix_s` is for "3 days ago". */
void info_print(struct cli *cli, const struct hoist_info *info, uint64_t now_unix_s);
/** How images are prepared, in words, on the line that was begun. */
void info_put_images(struct cli *cli, const struct hoist_preprocessing *p);
/** The members of an open JSON object, from "source" to "outputs", without "model_id". */
void info_json_members(struct cli *cli, const struct hoist_info *info);

#endif
