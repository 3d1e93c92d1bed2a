/* SPDX-License-Identifier: Apache-2.0 */
/* Versions of the libraries in use, as they say themselves at run time. */
#ifndef HOIST_CLI_VERSIONS_H
#define HOIST_CLI_VERSIONS_H

#include "cli.h"

const char *versions_curl(void);    /* "7.88.1" */
const char *versions_openssl(void); /* "OpenSSL 3.0.15 3 Sep 2024" */
/** Members "hoist", "libcurl", "openssl" of an open JSON object. */
void versions_json(struct cli *cli);

#endif
