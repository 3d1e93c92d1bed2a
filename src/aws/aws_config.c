/* SPDX-License-Identifier: Apache-2.0 */
/* Two files, one view. In the credentials file a section is a profile; in the config file it is one where
 * it is called [default] or [profile NAME]. Of two equal keys the later one counts. Immutable once read;
 * any thread. */
#include "aws_config.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "fs.h"
#include "text.h"

#define DEFAULT_CONFIG "~/.aws/config"
#define DEFAULT_CREDENTIALS "~/.aws/credentials"

void aws_config_done(struct aws_config *config) {
  free(config->config_path);
  free(config->credentials_path);
  aws_ini_done(&config->config);
  aws_ini_done(&config->credentials);
  *config = (struct aws_config){0};
}

/* ---- reading ---------------------------------------------------------------------------------- */

/* As it is where there is no home: then there is no such file either. */
static char *expand(const char *path) {
  const char *home = text_starts_with(path, "~/") ? getenv("HOME") : NULL;
  return home && *home ? text_format("%s%s", home, path + 1) : text_dup(path);
}

/* In a home of somebody else, as in many containers, there is nothing for us. */
static enum hoist_status read_file(const char *path, bool is_default, struct aws_ini *ret_ini,
                                   struct hoist_error *err) {
  struct hoist_error error;
  HOIST_AUTO(buf) struct buf text = buf_make(AWS_INI_MAX_BYTES);
  enum hoist_status status = fs_read_file(AT_FDCWD, path, &text, &error);
  if (status == HOIST_NOT_FOUND || (status == HOIST_DENIED && is_default)) return HOIST_OK;
  if (status == HOIST_OK) return aws_ini_parse(buf_str(&text), text.size, path, ret_ini, err);
  if (err) *err = error;
  return status;
}

enum hoist_status aws_config_read(const char *config_path, const char *credentials_path,
                                  struct aws_config *ret_config, struct hoist_error *err) {
  HOIST_AUTO(aws_config)
  struct aws_config c = {.config_path = expand(config_path ? config_path : DEFAULT_CONFIG),
                         .credentials_path =
                             expand(credentials_path ? credentials_path : DEFAULT_CREDENTIALS)};
  if (!c.config_path || !c.credentials_path) return hoist_fail_memory(err, "the AWS configuration");
  enum hoist_status status = read_file(c.config_path, !config_path, &c.config, err);
  if (status == HOIST_OK)
    status = read_file(c.credentials_path, !credentials_path, &c.credentials, err);
  if (status != HOIST_OK) return status;
  *ret_config = c;
  c = (struct aws_config){0};
  return HOIST_OK;
}

/* ---- looking up ------------------------------------------------------------------------------- */

/* Whether `section` is "kind NAME", with the name in quotes or not. */
static bool is_section(const char *section, const char *kind, const char *name) {
  size_t size = strlen(kind);
  if (strncmp(section, kind, size) != 0 || !strchr(" \t", section[size]) || !section[size])
    return false;
  const char *found = section + size + strspn(section + size, " \t");
  size_t found_size = strlen(found), name_size = strlen(name);
  while (found_size > 0 && strchr(" \t", found[found_size - 1]))
    found_size--;
  bool quoted = found_size >= 2 && strchr("\"'", *found) && found[found_size - 1] == *found;
  if (quoted) {
    found++;
    found_size -= 2;
  }
  return found_size == name_size && memcmp(found, name, name_size) == 0;
}

static bool is_profile(const char *section, const char *profile) {
  return is_section(section, "profile", profile) ||
         (strcmp(profile, "default") == 0 && strcmp(section, "default") == 0);
}

static bool is_credentials_profile(const char *section, const char *profile) {
  return strcmp(section, profile) == 0;
}

static bool is_services(const char *section, const char *name) {
  return is_section(section, "services", name);
}

/* The last entry of the section's that has this key and sub-key (NULL: the section itself, the key itself). */
static const struct aws_ini_entry *find(const struct aws_ini *ini,
                                        bool (*is_it)(const char *section, const char *name),
                                        const char *name, const char *key, const char *sub) {
  for (size_t i = ini->count; i-- > 0;) {
    const struct aws_ini_entry *e = &ini->entries[i];
    if (text_equal(e->key, key) && text_equal(e->sub, sub) && is_it(e->section, name)) return e;
  }
  return NULL;
}

bool aws_config_has(const struct aws_config *config, const char *profile) {
  return find(&config->credentials, is_credentials_profile, profile, NULL, NULL) ||
         find(&config->config, is_profile, profile, NULL, NULL);
}

static const char *value_of(const struct aws_ini_entry *entry) {
  return entry && *entry->value ? entry->value : NULL;
}

const char *aws_config_get(const struct aws_config *config, const char *profile, const char *key) {
  return aws_config_get_sub(config, profile, key, NULL);
}

/* A key in the credentials file, an empty one too, hides all that the config file has under it. */
const char *aws_config_get_sub(const struct aws_config *config, const char *profile,
                               const char *key, const char *sub) {
  if (find(&config->credentials, is_credentials_profile, profile, key, NULL))
    return value_of(find(&config->credentials, is_credentials_profile, profile, key, sub));
  return value_of(find(&config->config, is_profile, profile, key, sub));
}

const char *aws_config_endpoint(const struct aws_config *config, const char *profile,
                                const char *service) {
  const char *services = aws_config_get(config, profile, "services"), *endpoint = NULL;
  if (services)
    endpoint = value_of(find(&config->config, is_services, services, service, "endpoint_url"));
  return endpoint ? endpoint : aws_config_get(config, profile, "endpoint_url");
}
