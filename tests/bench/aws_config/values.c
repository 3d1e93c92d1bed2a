/* SPDX-License-Identifier: Apache-2.0 */
/* For compare.py: reads a config file and a credentials file, and prints what hoist finds in them for the
 * questions on its standard input, one a line: "profile<TAB>key[<TAB>sub]", or "profile<TAB>@service". */
#include <stdio.h>
#include <string.h>

#include "aws_config.h"

static const char *answer(const struct aws_config *config, char *line) {
  char *rest = line;
  const char *profile = strsep(&rest, "\t"), *key = strsep(&rest, "\t");
  if (!key) return aws_config_has(config, profile) ? "there" : NULL;
  if (*key == '@') return aws_config_endpoint(config, profile, key + 1);
  return aws_config_get_sub(config, profile, key, rest);
}

int main(int argc, char **argv) {
  HOIST_AUTO(aws_config) struct aws_config config = {0};
  struct hoist_error err;
  char line[1024];
  if (argc != 3) return 2;
  if (aws_config_read(argv[1], argv[2], &config, &err) != HOIST_OK) {
    printf("!%s\n", err.message);
    return 0;
  }
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = '\0';
    const char *value = answer(&config, line);
    printf("%s%s\n", value ? "=" : "", value ? value : "-");
  }
  return 0;
}
