/* SPDX-License-Identifier: Apache-2.0 */
/* A config file and a credentials file, one behind the other, apart by a line of "%%": whatever they say,
 * what is found in them is a text that is not empty. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "aws_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_up(const struct aws_config *config, const char *profile) {
  static const char *const keys[] = {"region", "role_arn", "source_profile", "services"};
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    const char *value = aws_config_get(config, profile, keys[i]);
    if (value && (!*value || !aws_config_has(config, profile))) abort();
  }
  const char *style = aws_config_get_sub(config, profile, "s3", "addressing_style");
  const char *endpoint = aws_config_endpoint(config, profile, "sts");
  if ((style && !*style) || (endpoint && !*endpoint)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char apart[] = "\n%%\n";
  HOIST_AUTO(aws_config) struct aws_config config = {0};
  const char *text = (const char *)data;
  const char *second = memmem(text, size, apart, strlen(apart));
  size_t first_size = second ? (size_t)(second - text) : size;
  if (aws_ini_parse(text, first_size, "config", &config.config, NULL) != HOIST_OK) return 0;
  if (second) {
    second += strlen(apart);
    if (aws_ini_parse(second, size - (size_t)(second - text), "credentials", &config.credentials,
                      NULL) != HOIST_OK)
      return 0;
  }
  for (size_t i = 0; i < config.config.count; i++) {
    const struct aws_ini_entry *e = &config.config.entries[i];
    if (!e->section || !e->value || (e->key && !*e->key) || (e->sub && (!e->key || !*e->sub)))
      abort();
  }
  look_up(&config, "default");
  look_up(&config, "dev");
  look_up(&config, "");
  return 0;
}
