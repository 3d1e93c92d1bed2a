/* SPDX-License-Identifier: Apache-2.0 */
/* One package for who reads pages of them. */
#ifndef HOIST_ROBOFLOW_ROBOFLOW_PACKAGE_INTERNAL_H
#define HOIST_ROBOFLOW_ROBOFLOW_PACKAGE_INTERNAL_H

#include "roboflow_package.h"

/** Reads a package; one that cannot be understood is OK, with its problem put down.
 *  @param ret_package  given empty; to be released whatever comes of it
 *  Errors: NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status roboflow_package_read(const struct json_place *root,
                                                         int verify_md5,
                                                         struct roboflow_package *ret_package,
                                                         struct hoist_error *err);
void roboflow_package_done(struct roboflow_package *package);

#endif
