/* SPDX-License-Identifier: Apache-2.0 */
/* What KServe says to its storage initializer, row by row. */
#include <unistd.h>

#include "command_line.h"
#include "kserve.h"

struct reading {
  struct hoist_config config;
  struct kserve *kserve;
  struct hoist_error err;
  enum hoist_status status;
};

static struct reading read_env(const char *const *env) {
  struct reading r = {0};
  environment = env;
  hoist_config_init(&r.config);
  assert_int_equal(hoist_config_from_env(&r.config, fake_env, &r.err), HOIST_OK);
  r.status = kserve_read(fake_env, &r.config, &r.kserve, &r.err);
  return r;
}
#define READ(...) read_env((const char *const[]){__VA_ARGS__, NULL})

static void done(struct reading *r) {
  kserve_free(r->kserve);
}

/* ---- S3 ---------------------------------------------------------------------------------------- */

static void test_the_mounted_variables_are_the_settings(void **state) {
  struct reading r = READ("AWS_ENDPOINT_URL", "https://minio:9000", "AWS_ACCESS_KEY_ID", "key",
                          "AWS_SECRET_ACCESS_KEY", "secret", "AWS_DEFAULT_REGION", "eu-west-1",
                          "S3_ENDPOINT", "ignored:1", "S3_USE_HTTPS", "1");
  assert_int_equal(r.status, HOIST_OK);
  assert_string_equal(r.config.s3_endpoint, "https://minio:9000");
  assert_string_equal(r.config.access_key, "key");
  assert_string_equal(r.config.secret_key, "secret");
  assert_string_equal(r.config.region, "eu-west-1");
  assert_string_equal(r.config.addressing, "auto");
  assert_int_equal(r.config.verify_tls, 1);
  assert_int_equal(r.config.s3_anonymous, 0);
  done(&r);
}

static void test_storage_config_stands_before_the_environment(void **state) {
  struct reading r =
      READ("AWS_ENDPOINT_URL", "https://other", "AWS_ACCESS_KEY_ID", "other", "STORAGE_CONFIG",
           "{\"type\":\"s3\",\"endpoint_url\":\"http://minio:9000\",\"access_key_id\":\"key\","
           "\"secret_access_key\":\"secret\",\"region\":\"us-south\",\"bucket\":\"b\","
           "\"verify_ssl\":\"0\",\"anonymous\":\"True\"}",
           "STORAGE_OVERRIDE_CONFIG", "{\"region\":\"override\"}");
  assert_int_equal(r.status, HOIST_OK);
  assert_string_equal(r.config.s3_endpoint, "http://minio:9000");
  assert_string_equal(r.config.access_key, "key");
  assert_string_equal(r.config.secret_key, "secret");
  assert_string_equal(r.config.region, "override");
  assert_int_equal(r.config.verify_tls, 0);
  assert_int_equal(r.config.s3_anonymous, 1);
  done(&r);
}

static void test_a_storage_config_of_another_type_says_nothing_of_s3(void **state) {
  struct reading r = READ("AWS_ACCESS_KEY_ID", "mine", "STORAGE_CONFIG",
                          "{\"type\":\"gs\",\"access_key_id\":\"theirs\"}");
  assert_int_equal(r.status, HOIST_OK);
  assert_string_equal(r.config.access_key, "mine");
  done(&r);
}

static void test_the_endpoint_may_come_in_two_pieces(void **state) {
  static const struct {
    const char *endpoint, *https, *url;
  } cases[] = {{"minio:9000", "0", "http://minio:9000"},
               {"minio:9000", "false", "http://minio:9000"},
               {"minio:9000", "1", "https://minio:9000"},
               {"minio:9000", "", "https://minio:9000"},
               {"http://minio:9000", "1", "http://minio:9000"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct reading r = READ("S3_ENDPOINT", cases[i].endpoint, "S3_USE_HTTPS", cases[i].https);
    assert_string_equal(r.config.s3_endpoint, cases[i].url);
    done(&r);
  }
}

static void test_how_buckets_are_addressed(void **state) {
  static const struct {
    const char *name, *value, *endpoint, *region, *addressing;
  } cases[] = {
      {"S3_USER_VIRTUAL_BUCKET", "true", "", "", "virtual"},
      {"S3_USER_VIRTUAL_BUCKET", "False", "", "", "auto"},
      {"S3_USE_ACCELERATE", "true", "", "", "virtual"},
      {"UNUSED", "", "https://s3.amazonaws.com", "eu-west-1", "virtual"},
      {"UNUSED", "", "https://s3.amazonaws.com", "us-east-1", "auto"},
      {"UNUSED", "", "https://s3.amazonaws.com", "", "auto"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct reading r = READ(cases[i].name, cases[i].value, "AWS_ENDPOINT_URL", cases[i].endpoint,
                            "AWS_DEFAULT_REGION", cases[i].region);
    assert_string_equal(r.config.addressing, cases[i].addressing);
    done(&r);
  }
  struct reading r = READ("S3_USE_ACCELERATE", "true");
  assert_string_equal(r.config.s3_endpoint, "https://s3-accelerate.amazonaws.com");
  done(&r);
}

static void test_whom_tls_trusts(void **state) {
  char dir[] = "/tmp/hoist-kserve-XXXXXX", bundle[64], own[64];
  assert_non_null(mkdtemp(dir));
  snprintf(bundle, sizeof bundle, "%s/cabundle.crt", dir);
  snprintf(own, sizeof own, "%s/own.crt", dir);
  struct reading r = READ("CA_BUNDLE_CONFIGMAP_NAME", "certs", "CA_BUNDLE_VOLUME_MOUNT_POINT", dir);
  assert_int_equal(r.status, HOIST_NOT_FOUND);
  assert_non_null(strstr(r.err.message, "cabundle.crt is not there"));
  fclose(fopen(bundle, "w"));
  fclose(fopen(own, "w"));
  r = READ("CA_BUNDLE_CONFIGMAP_NAME", "certs", "CA_BUNDLE_VOLUME_MOUNT_POINT", dir);
  assert_string_equal(r.config.ca_file, bundle);
  done(&r);
  r = READ("CA_BUNDLE_CONFIGMAP_NAME", "certs", "CA_BUNDLE_VOLUME_MOUNT_POINT", dir,
           "AWS_CA_BUNDLE", own);
  assert_string_equal(r.config.ca_file, own);
  done(&r);
  r = READ("S3_VERIFY_SSL", "false", "AWS_CA_BUNDLE", "/not/there");
  assert_int_equal(r.config.verify_tls, 0);
  done(&r);
  assert_int_equal(unlink(bundle) | unlink(own) | rmdir(dir), 0);
}

static void test_limits(void **state) {
  struct reading r = READ("S3_MAX_ATTEMPTS", "7", "S3_READ_TIMEOUT", "12");
  assert_int_equal(r.config.max_attempts, 7);
  assert_int_equal(r.config.stall_timeout_ms, 12000);
  done(&r);
  r = READ("S3_MAX_ATTEMPTS", "1000");
  assert_int_equal(r.config.max_attempts, 20);
  done(&r);
}

static void test_what_makes_no_sense_is_refused_without_its_secrets(void **state) {
  static const struct {
    const char *name, *value, *says;
  } cases[] = {
      {"STORAGE_CONFIG", "{\"type\":\"s3\",\"secret_access_key\":\"hunter2",
       "STORAGE_CONFIG is not a JSON object (line 1"},
      {"STORAGE_CONFIG", "[]", "STORAGE_CONFIG is not a JSON object"},
      {"STORAGE_OVERRIDE_CONFIG", "hunter2", "STORAGE_OVERRIDE_CONFIG is not a JSON object"},
      {"STORAGE_CONFIG", "{\"type\":\"s3\",\"region\":[\"hunter2\"]}",
       "\"region\" is neither a string nor true or false"},
      {"S3_MAX_ATTEMPTS", "many", "S3_MAX_ATTEMPTS is 'many'"},
      {"S3_READ_TIMEOUT", "0", "S3_READ_TIMEOUT is '0'"},
      {"STORAGE_ALLOW_PATTERNS", "[\"a\", 1]", "STORAGE_ALLOW_PATTERNS: pattern 2 is not a string"},
      {"STORAGE_IGNORE_PATTERNS", "[\"*.bin\"",
       "STORAGE_IGNORE_PATTERNS begins as a JSON array and is none"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct reading r = READ(cases[i].name, cases[i].value);
    assert_int_equal(r.status, HOIST_INVALID);
    if (!strstr(r.err.message, cases[i].says)) fail_msg("%s", r.err.message);
    assert_null(strstr(r.err.message, "hunter2"));
  }
}

static void test_confidential_serving_is_refused(void **state) {
  struct reading r = READ("CONFIDENTIAL_ENABLED", "true");
  assert_int_equal(r.status, HOIST_UNSUPPORTED);
  assert_non_null(strstr(r.err.message, "KServe's own storage initializer"));
  struct reading off = READ("CONFIDENTIAL_ENABLED", "false");
  assert_int_equal(off.status, HOIST_OK);
  done(&off);
}

/* ---- patterns ---------------------------------------------------------------------------------- */

static void test_patterns_become_rules(void **state) {
  static const struct {
    const char *allow, *ignore, *rules;
  } cases[] = {
      {"", "", ""},
      {"[\"*.safetensors\", \"*.json\"]", "", "-* +*.safetensors +*.json "},
      {"*.safetensors, *.json,", "", "-* +*.safetensors +*.json "},
      {"", "[\"*.bin\"]", "-*.bin "},
      {"*", "a*,b*", "-* +* -a* -b* "},
      {"[a-c]*,x", "", "-* +[a-c]* +x "},
      {"[]", " , ", ""},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[256] = "";
    struct reading r =
        READ("STORAGE_ALLOW_PATTERNS", cases[i].allow, "STORAGE_IGNORE_PATTERNS", cases[i].ignore);
    assert_int_equal(r.status, HOIST_OK);
    const struct hoist_copy_options o = kserve_rules(r.kserve);
    for (size_t n = 0; n < o.rule_count; n++)
      snprintf(text + strlen(text), sizeof text - strlen(text), "%c%s ",
               o.rules[n].include ? '+' : '-', o.rules[n].pattern);
    assert_string_equal(text, cases[i].rules);
    assert_int_equal(o.unpack, 1);
    done(&r);
  }
}

/* ---- URIs -------------------------------------------------------------------------------------- */

static void test_where_uris_point(void **state) {
  static const struct {
    const char *uri, *place;
    enum hoist_status status;
    const char *says;
  } cases[] = {
      {"s3://b/p", "s3://b/p", HOIST_OK, ""},
      {"file:///etc", "dir:/etc", HOIST_OK, ""},
      {"/etc", "dir:/etc", HOIST_OK, ""},
      {"/mnt/models", NULL, HOIST_OK, ""}, /* multi-model: its agent brings them */
      {"/mnt/models/x", NULL, HOIST_OK, ""},
      {"file:///no/such", NULL, HOIST_NOT_FOUND, "file:///no/such is not there"},
      {"/mnt/pvc/model", NULL, HOIST_NOT_FOUND, "in the volume"},
      {"gs://b/p", NULL, HOIST_UNSUPPORTED, "gs:// is not what hoist copies from"},
      {"hf://org/model", NULL, HOIST_UNSUPPORTED, "taking hf:// out of supportedUriFormats"},
      {"https://host/model.zip", NULL, HOIST_UNSUPPORTED, "https:// is not"},
      {"pvc://claim/model", NULL, HOIST_UNSUPPORTED, "pvc:// is not"},
      {"model", NULL, HOIST_INVALID, "'model' is no storage URI"},
      {"", NULL, HOIST_INVALID, "'' is no storage URI"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    HOIST_AUTO(mem) char *place = NULL;
    struct hoist_error err = {0};
    enum kserve_uri kind;
    assert_int_equal(kserve_place(cases[i].uri, &kind, &place, &err), cases[i].status);
    if (!strstr(err.message, cases[i].says)) fail_msg("%s", err.message);
    if (cases[i].place) assert_string_equal(place, cases[i].place);
    if (!cases[i].place) assert_null(place);
    if (cases[i].status == HOIST_OK)
      assert_int_equal(kind, cases[i].place ? KSERVE_COPY : KSERVE_NOTHING);
  }
}

/* ---- the command ------------------------------------------------------------------------------- */

static void test_pairs_are_copied_one_after_the_other(void **state) {
  run_line("hoist kserve s3://b/one /a s3://b/two /b");
  assert_int_equal(run.code, 0);
  assert_string_equal(fake_hoist.copied, "s3://b/one > /a\ns3://b/two > /b\n");
}

static void test_a_uri_alone_goes_to_the_usual_directory(void **state) {
  run_line("hoist kserve s3://b/one");
  assert_int_equal(run.code, 0);
  assert_string_equal(fake_hoist.copied, "s3://b/one > /mnt/models\n");
}

static void test_the_first_failure_ends_it(void **state) {
  run_line("hoist kserve s3://b/denied /a s3://b/two /b");
  assert_int_equal(run.code, 4);
  assert_string_equal(fake_hoist.copied, "s3://b/denied > /a\n");
  run_line("hoist kserve gs://b/m /a");
  assert_int_equal(run.code, 8);
}

static void test_a_pair_that_is_none_is_refused(void **state) {
  run_line("hoist kserve s3://b/one /a s3://b/two");
  assert_int_equal(run.code, 2);
  assert_says(&run.err, "kserve: 3 arguments: give a storage URI and its directory, in pairs");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_the_mounted_variables_are_the_settings),
      TEST(test_storage_config_stands_before_the_environment),
      TEST(test_a_storage_config_of_another_type_says_nothing_of_s3),
      TEST(test_the_endpoint_may_come_in_two_pieces),
      TEST(test_how_buckets_are_addressed),
      TEST(test_whom_tls_trusts),
      TEST(test_limits),
      TEST(test_what_makes_no_sense_is_refused_without_its_secrets),
      TEST(test_confidential_serving_is_refused),
      TEST(test_patterns_become_rules),
      TEST(test_where_uris_point),
      TEST(test_pairs_are_copied_one_after_the_other),
      TEST(test_a_uri_alone_goes_to_the_usual_directory),
      TEST(test_the_first_failure_ends_it),
      TEST(test_a_pair_that_is_none_is_refused),
  };
  return cmocka_run_group_tests_name("kserve", tests, NULL, NULL);
}
