/* SPDX-License-Identifier: Apache-2.0 */
/* The places that credentials may come from, against scripted servers: what each is asked, what becomes of
 * its answers, and which is asked first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <cmocka.h>

#include "aws.h"
#include "http_fixture.h"
#include "text.h"

#define SECRET "s3cr3t-never-shown"
#define TOKEN "t0ken-never-shown"
#define NO_FILE "/nowhere/hoist-no-such-file"
#define ROLE "arn:aws:iam::123456789012:role/reader"
#define EXPIRES "2030-01-02T03:04:05Z"
#define JSON_KEYS(key)                                                                             \
  "{\"Code\":\"Success\",\"AccessKeyId\":\"" key "\",\"SecretAccessKey\":\"" SECRET                \
  "\",\"Token\":\"T\",\"Expiration\":\"" EXPIRES "\"}"
#define STS_KEYS(key)                                                                              \
  "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>" key                           \
  "</AccessKeyId><SecretAccessKey>" SECRET                                                         \
  "</SecretAccessKey><SessionToken>T</SessionToken><Expiration>" EXPIRES                           \
  "</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
#define STS_ERROR(code, message)                                                                   \
  "<ErrorResponse><Error><Code>" code "</Code><Message>" message                                   \
  "</Message></Error></ErrorResponse>"
#define OK(body) "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" body
#define STATUS(status, body) "HTTP/1.1 " status "\r\nConnection: close\r\n\r\n" body

struct world {
  struct fixture f;
  struct aws_options options;
  struct aws *aws;
  char dir[32], config[64], token_file[64], url[96];
  const struct aws_credentials *found;
};

static void put(const char *path, const char *text) {
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs(text, file);
  fclose(file);
}

static void set_up(struct world *w) {
  *w = (struct world){.options = {.texts = {.config_file = NO_FILE, .credentials_file = NO_FILE},
                                  .metadata_disabled = 1,
                                  .metadata_timeout_ms = 500,
                                  .metadata_attempts = 1},
                      .dir = "/tmp/hoist-places-XXXXXX"};
  assert_non_null(mkdtemp(w->dir));
  snprintf(w->config, sizeof w->config, "%s/config", w->dir);
  snprintf(w->token_file, sizeof w->token_file, "%s/token", w->dir);
  put(w->token_file, TOKEN "\n");
  fixture_init(&w->f);
}

/* The config file, in which a % stands for the server's URL. */
static void use_config(struct world *w, const char *text) {
  FILE *file = fopen(w->config, "w");
  for (; *text; text++) {
    if (*text == '%')
      fputs(script_server_url(w->f.server), file);
    else
      fputc(*text, file);
  }
  fclose(file);
  w->options.texts.config_file = w->config;
}

static void serve(struct world *w, const struct script_reply *replies, size_t count) {
  fixture_replay(&w->f, replies, count);
  w->options.texts.sts_endpoint = script_server_url(w->f.server);
}
#define SERVE(w, replies) serve(w, replies, sizeof(replies) / sizeof *(replies))

static void tear_down(struct world *w) {
  aws_credentials_unref(w->found);
  aws_free(w->aws);
  fixture_done(&w->f);
  unlink(w->config);
  unlink(w->token_file);
  rmdir(w->dir);
}

static enum hoist_status find(struct world *w) {
  enum hoist_status status = HOIST_OK;
  if (!w->aws) status = aws_new(w->f.http, &w->options, &w->aws, &w->f.err);
  if (status == HOIST_OK)
    status = aws_provider_get(&w->f.call, aws_credentials_provider(w->aws), &w->found, &w->f.err);
  if (status != HOIST_OK) {
    assert_null(strstr(w->f.err.message, SECRET));
    assert_null(strstr(w->f.err.message, TOKEN));
  }
  return status;
}

static void expect_found(struct world *w, const char *key, const char *provider) {
  if (find(w) != HOIST_OK) fail_msg("%s", w->f.err.message);
  assert_string_equal(w->found->access_key, key);
  assert_string_equal(w->found->provider, provider);
}

static void expect_failure(struct world *w, enum hoist_status status, const char *message) {
  enum hoist_status found = find(w);
  if (found != status || !strstr(w->f.err.message, message))
    fail_msg("%s instead of: %s", found == HOIST_OK ? "found" : w->f.err.message, message);
}

static void expect_request(const struct world *w, int n, const char *part) {
  const char *request = script_server_request(w->f.server, n);
  if (!strcasestr(request, part)) fail_msg("\"%s\" is not in %s", part, request);
}

/* ---- the environment -------------------------------------------------------------------------- */

static void test_keys_that_are_set_come_first(void **state) {
  (void)state;
  struct world w;
  set_up(&w);
  w.options.texts.access_key = "AKIAENV";
  w.options.texts.secret_key = SECRET;
  w.options.texts.session_token = "T";
  w.options.texts.web_identity_token_file = NO_FILE;
  w.options.texts.role_arn = ROLE;
  expect_found(&w, "AKIAENV", "environment");
  assert_string_equal(w.found->session_token, "T");
  assert_int_equal(w.found->expires_unix_s, 0);
  tear_down(&w);
}

static void test_half_a_pair_of_keys_is_refused(void **state) {
  (void)state;
  struct world w;
  set_up(&w);
  w.options.texts.access_key = "AKIAENV";
  w.options.texts.secret_key = "";
  expect_failure(&w, HOIST_INVALID, "set AWS_SECRET_ACCESS_KEY");
  w.options.texts.access_key = NULL;
  w.options.texts.secret_key = SECRET;
  expect_failure(&w, HOIST_INVALID, "set AWS_ACCESS_KEY_ID");
  tear_down(&w);
}

static void test_where_nothing_applies_it_says_what_to_do(void **state) {
  (void)state;
  struct world w;
  set_up(&w);
  expect_failure(&w, HOIST_DENIED,
                 "no AWS credentials: none in the environment, profile \"default\"");
  expect_failure(&w, HOIST_DENIED, "HOIST_S3_ANONYMOUS=true");
  tear_down(&w);
}

/* ---- web identity ----------------------------------------------------------------------------- */

static void test_a_role_is_taken_on_with_a_token(void **state) {
  (void)state;
  static const struct script_reply replies[] = {
      {.after = SCRIPT_CLOSE, .data = OK(STS_KEYS("AKIAROLE"))}};
  struct world w;
  set_up(&w);
  SERVE(&w, replies);
  w.options.texts.web_identity_token_file = w.token_file;
  w.options.texts.role_arn = ROLE;
  w.options.texts.role_session_name = "pod+1";
  expect_found(&w, "AKIAROLE", "web_identity");
  assert_int_equal(w.found->expires_unix_s, 1893553445);
  expect_request(&w, 0, "POST / HTTP/1.1\r\n");
  expect_request(&w, 0,
                 "Action=AssumeRoleWithWebIdentity&Version=2011-06-15"
                 "&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Freader"
                 "&RoleSessionName=pod%2B1&WebIdentityToken=" TOKEN);
  assert_null(strcasestr(script_server_request(w.f.server, 0), "\r\nauthorization:"));
  tear_down(&w);
}

static void test_failures_of_web_identity_are_told(void **state) {
  (void)state;
  static const struct {
    const char *reply;
    enum hoist_status status;
    const char *message;
  } cases[] = {
      {STATUS("403 No", STS_ERROR("AccessDenied", "Not authorized to perform it")), HOIST_DENIED,
       "web_identity: STS refuses role " ROLE ": AccessDenied (Not authorized to perform it)"},
      {STATUS("400 No", STS_ERROR("ExpiredTokenException", "Token expired")), HOIST_DENIED,
       "the token has expired; get a new one"},
      {STATUS("400 No", STS_ERROR("InvalidIdentityToken", "not " TOKEN " at all")), HOIST_DENIED,
       "InvalidIdentityToken; check the token"},
      {STATUS("400 No", STS_ERROR("IDPCommunicationError", "")), HOIST_UNAVAILABLE,
       "try again later"},
      {STATUS("400 No", STS_ERROR("SomethingNew", "words")), HOIST_DENIED, "SomethingNew (words)"},
      {STATUS("500 No", "oh"), HOIST_UNAVAILABLE, "web_identity: role " ROLE},
      {STATUS("403 No", SECRET), HOIST_DENIED, "web_identity: role " ROLE},
      {OK("nonsense"), HOIST_CORRUPT, "the answer of STS is not its XML"},
      {OK("<a/>"), HOIST_CORRUPT, "no proper AccessKeyId"},
      {OK(STS_KEYS("A") "<b/>"), HOIST_CORRUPT, "not its XML"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const struct script_reply replies[] = {{.after = SCRIPT_CLOSE, .data = cases[i].reply}};
    struct world w;
    set_up(&w);
    SERVE(&w, replies);
    w.options.texts.web_identity_token_file = w.token_file;
    w.options.texts.role_arn = ROLE;
    expect_failure(&w, cases[i].status, cases[i].message);
    tear_down(&w);
  }
}

static void test_web_identity_needs_its_parts(void **state) {
  (void)state;
  struct world w;
  set_up(&w);
  w.options.texts.web_identity_token_file = w.token_file;
  expect_failure(&w, HOIST_INVALID, "set AWS_ROLE_ARN");
  tear_down(&w);
  set_up(&w);
  w.options.texts.web_identity_token_file = NO_FILE;
  w.options.texts.role_arn = ROLE;
  expect_failure(&w, HOIST_DENIED, "the web identity token: " NO_FILE);
  tear_down(&w);
  set_up(&w);
  put(w.token_file, " \n");
  w.options.texts.web_identity_token_file = w.token_file;
  w.options.texts.role_arn = ROLE;
  expect_failure(&w, HOIST_INVALID, "there is no token in");
  tear_down(&w);
}

static void test_sts_is_where_the_region_is(void **state) {
  (void)state;
  static const struct {
    const char *region, *endpoint, *message;
  } cases[] = {
      {"eu-west-1", NULL, "sts.eu-west-1.amazonaws.com:443"},
      {"cn-north-1", NULL, "sts.cn-north-1.amazonaws.com.cn:443"},
      {NULL, NULL, "sts.amazonaws.com:443"},
      {"a/b", NULL, "\"a/b\" is not a region name"},
      {NULL, "ftp://x", "the STS endpoint is not http(s)"},
      {NULL, "http://u:p@x", "the STS endpoint is not http(s)"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct world w;
    set_up(&w);
    http_free(HOIST_TAKE(w.f.http));
    w.f.options.proxy = "http://127.0.0.1:9"; /* so that nobody is asked */
    w.f.options.max_attempts = 1;
    assert_int_equal(http_new(&w.f.options, &w.f.http, NULL), HOIST_OK);
    w.options.texts.region = cases[i].region;
    w.options.texts.sts_endpoint = cases[i].endpoint;
    w.options.texts.web_identity_token_file = w.token_file;
    w.options.texts.role_arn = ROLE;
    assert_int_not_equal(find(&w), HOIST_OK);
    if (!strstr(w.f.err.message, cases[i].message)) fail_msg("%s", w.f.err.message);
    tear_down(&w);
  }
}

/* ---- profiles --------------------------------------------------------------------------------- */

#define BASE "[profile base]\naws_access_key_id = AKIABASE\naws_secret_access_key = " SECRET "\n"

static void test_a_profile_has_keys(void **state) {
  (void)state;
  struct world w;
  set_up(&w);
  use_config(&w, "[default]\naws_access_key_id = A\naws_secret_access_key = " SECRET
                 "\naws_session_token = T\nsso_session = ignored where there are keys\n" BASE);
  expect_found(&w, "A", "profile");
  assert_string_equal(w.found->session_token, "T");
  tear_down(&w);
  set_up(&w);
  use_config(&w, BASE);
  w.options.texts.profile = "base";
  expect_found(&w, "AKIABASE", "profile");
  tear_down(&w);
}

static void test_a_role_is_taken_on_with_another_profile(void **state) {
  (void)state;
  static const struct script_reply replies[] = {
      {.after = SCRIPT_CLOSE, .data = OK(STS_KEYS("AKIAONE"))},
      {.after = SCRIPT_CLOSE, .data = OK(STS_KEYS("AKIATWO"))}};
  struct world w;
  set_up(&w);
  SERVE(&w, replies);
  w.options.texts.sts_endpoint = NULL;
  w.options.texts.profile = "two";
  use_config(&w, BASE "[profile one]\nrole_arn = first\nsource_profile = base\nregion = eu-west-1\n"
                      "endpoint_url = %/base\n"
                      "[profile two]\nrole_arn = second\nsource_profile = one\n"
                      "role_session_name = me\nexternal_id = x&y\nduration_seconds = 900\n"
                      "services = s\n[services s]\nsts =\n  endpoint_url = %\n");
  expect_found(&w, "AKIATWO", "assume_role");
  expect_request(&w, 0, "POST /base HTTP/1.1\r\n");
  expect_request(&w, 0,
                 "Action=AssumeRole&Version=2011-06-15&RoleArn=first&RoleSessionName=hoist-");
  expect_request(&w, 0, "Credential=AKIABASE/");
  expect_request(&w, 0, "/eu-west-1/sts/aws4_request,SignedHeaders=content-type;host;x-amz-date,");
  expect_request(&w, 1, "POST / HTTP/1.1\r\n");
  expect_request(&w, 1, "RoleArn=second&RoleSessionName=me&ExternalId=x%26y&DurationSeconds=900");
  expect_request(&w, 1, "/us-east-1/sts/aws4_request");
  expect_request(&w, 1, "Credential=AKIAONE/");
  expect_request(&w, 1, "x-amz-security-token: T");
  tear_down(&w);
}

static void test_a_profile_may_be_its_own_source(void **state) {
  (void)state;
  static const struct script_reply replies[] = {
      {.after = SCRIPT_CLOSE, .data = OK(STS_KEYS("AKIAROLE"))}};
  struct world w;
  set_up(&w);
  SERVE(&w, replies);
  use_config(&w, "[default]\nrole_arn = r\nsource_profile = default\naws_access_key_id = A\n"
                 "aws_secret_access_key = B\n");
  expect_found(&w, "AKIAROLE", "assume_role");
  expect_request(&w, 0, "Credential=A/");
  tear_down(&w);
}

static void test_a_profile_takes_on_a_role_with_a_token(void **state) {
  (void)state;
  static const struct script_reply replies[] = {
      {.after = SCRIPT_CLOSE, .data = OK(STS_KEYS("AKIAROLE"))}};
  struct world w;
  char config[256];
  set_up(&w);
  SERVE(&w, replies);
  snprintf(config, sizeof config,
           "[default]\nrole_arn = r\nweb_identity_token_file = %s\nrole_session_name = n\n",
           w.token_file);
  use_config(&w, config);
  expect_found(&w, "AKIAROLE", "web_identity");
  expect_request(&w, 0, "RoleArn=r&RoleSessionName=n&WebIdentityToken=" TOKEN);
  tear_down(&w);
}

static void test_a_role_is_taken_on_with_what_the_environment_has(void **state) {
  (void)state;
  static const struct script_reply replies[] = {
      {.after = SCRIPT_CLOSE, .data = OK(JSON_KEYS("AKIACON"))},
      {.after = SCRIPT_CLOSE, .data = OK(STS_KEYS("AKIAROLE"))}};
  struct world w;
  set_up(&w);
  SERVE(&w, replies);
  w.options.texts.container_full_uri = script_server_url(w.f.server);
  use_config(&w, "[default]\nrole_arn = r\ncredential_source = EcsContainer\n");
  expect_found(&w, "AKIAROLE", "assume_role");
  expect_request(&w, 1, "Credential=AKIACON/");
  tear_down(&w);
}

static void test_a_profile_runs_a_command(void **state) {
  (void)state;
  struct world w;
  set_up(&w);
  use_config(&w, "[default]\ncredential_process = echo '{\"Version\":1,\"AccessKeyId\":\"AKIAPRO\","
                 "\"SecretAccessKey\":\"" SECRET "\",\"Expiration\":\"" EXPIRES "\"}'\n");
  expect_found(&w, "AKIAPRO", "credential_process");
  assert_int_equal(w.found->expires_unix_s, 1893553445);
  tear_down(&w);
}

static void test_profiles_that_make_no_sense_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *config, *profile;
    enum hoist_status status;
    const char *message;
  } cases[] = {
      {"", "gone", HOIST_INVALID, "there is no profile \"gone\" in"},
      {"[default]\naws_access_key_id = A\n", NULL, HOIST_INVALID, "add aws_secret_access_key"},
      {"[default]\naws_secret_access_key = A\n", NULL, HOIST_INVALID, "add aws_access_key_id"},
      {"[default]\nrole_arn = r\n", NULL, HOIST_INVALID,
       "role_arn needs one of source_profile and credential_source"},
      {"[default]\nrole_arn = r\nsource_profile = a\ncredential_source = Environment\n", NULL,
       HOIST_INVALID, "role_arn needs only one of"},
      {"[default]\nrole_arn = r\nsource_profile = gone\n", NULL, HOIST_INVALID,
       "its source_profile \"gone\" is in neither"},
      {"[default]\nrole_arn = r\nsource_profile = default\n", NULL, HOIST_INVALID,
       "leads back to itself"},
      {"[default]\nrole_arn = r\nsource_profile = b\n[profile b]\nrole_arn = r\n"
       "source_profile = c\n[profile c]\nrole_arn = r\nsource_profile = default\n",
       NULL, HOIST_INVALID, "profile \"c\": its source_profile \"default\" leads back to itself"},
      {"[default]\nrole_arn = r\nsource_profile = b\n[profile b]\nregion = x\n", NULL, HOIST_DENIED,
       "profile \"b\" has no credentials"},
      {"[default]\nrole_arn = r\ncredential_source = Moon\n", NULL, HOIST_INVALID,
       "credential_source is \"Moon\": use Environment"},
      {"[default]\nrole_arn = r\ncredential_source = Environment\n", NULL, HOIST_DENIED,
       "its credential_source Environment: AWS_ACCESS_KEY_ID is not set"},
      {"[default]\nrole_arn = r\ncredential_source = Ec2InstanceMetadata\n", NULL, HOIST_DENIED,
       "AWS_EC2_METADATA_DISABLED is set"},
      {"[default]\nrole_arn = r\nsource_profile = default\naws_access_key_id = A\n"
       "aws_secret_access_key = B\nmfa_serial = m\n",
       NULL, HOIST_UNSUPPORTED, "aws configure export-credentials --profile default"},
      {"[default]\nsso_session = s\n", NULL, HOIST_UNSUPPORTED,
       "logs in through sso_session, which hoist does not; use a profile with credential_process"},
      {"[default]\nsso_start_url = s\n", NULL, HOIST_UNSUPPORTED, "logs in through sso_start_url"},
      {"[default]\nlogin_session = s\n", NULL, HOIST_UNSUPPORTED, "logs in through login_session"},
      {"[default]\nweb_identity_token_file = x\n", NULL, HOIST_INVALID, "without role_arn"},
      {"[default]\ncredential_process = false\n", NULL, HOIST_DENIED,
       "profile \"default\": credential_process failed (exit status 1)"},
      {"nonsense", NULL, HOIST_INVALID, "/config, line 1: "},
      {"[default]\nrole_arn = r\nsource_profile = 1\n[profile 1]\nrole_arn = r\nsource_profile = "
       "2\n"
       "[profile 2]\nrole_arn = r\nsource_profile = 3\n[profile 3]\nrole_arn = r\n"
       "source_profile = 4\n[profile 4]\nrole_arn = r\nsource_profile = 5\n[profile 5]\n"
       "role_arn = r\nsource_profile = 6\n[profile 6]\nrole_arn = r\nsource_profile = 7\n"
       "[profile 7]\nrole_arn = r\nsource_profile = 8\n[profile 8]\nregion = x\n",
       NULL, HOIST_INVALID, "over 8 profiles, each the source of another"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct world w;
    set_up(&w);
    w.options.texts.profile = cases[i].profile;
    use_config(&w, cases[i].config);
    expect_failure(&w, cases[i].status, cases[i].message);
    tear_down(&w);
  }
}

static void test_sts_may_refuse_a_profiles_role(void **state) {
  (void)state;
  static const struct script_reply replies[] = {
      {.after = SCRIPT_CLOSE,
       .data = STATUS("403 No", STS_ERROR("AccessDenied", "AKIABASE may not"))}};
  struct world w;
  set_up(&w);
  SERVE(&w, replies);
  use_config(&w, BASE "[default]\nrole_arn = r\nsource_profile = base\n");
  expect_failure(&w, HOIST_DENIED, "assume_role: STS refuses role r: AccessDenied; let the role's");
  assert_null(strstr(w.f.err.message, "AKIABASE"));
  assert_int_equal(w.f.err.http_status, 403);
  tear_down(&w);
}

static void test_files_are_read_again_for_each_search(void **state) {
  (void)state;
  struct world w;
  set_up(&w);
  use_config(&w, "[default]\naws_access_key_id = A\naws_secret_access_key = B\n");
  expect_found(&w, "A", "profile");
  use_config(&w, "[default]\naws_access_key_id = C\naws_secret_access_key = B\n");
  HOIST_AUTO(aws_credentials) const struct aws_credentials *renewed = NULL;
  assert_int_equal(
      aws_provider_renew(&w.f.call, aws_credentials_provider(w.aws), w.found, &renewed, NULL),
      HOIST_OK);
  assert_string_equal(renewed->access_key, "C");
  tear_down(&w);
}

/* ---- containers ------------------------------------------------------------------------------- */

static void test_a_container_has_credentials(void **state) {
  (void)state;
  static const struct script_reply replies[] = {
      {.after = SCRIPT_CLOSE, .data = OK(JSON_KEYS("AKIACON"))}};
  struct world w;
  set_up(&w);
  SERVE(&w, replies);
  snprintf(w.url, sizeof w.url, "%s/v1/x?id=" SECRET, script_server_url(w.f.server));
  w.options.texts.container_full_uri = w.url;
  w.options.texts.container_token = "set, but a file wins";
  w.options.texts.container_token_file = w.token_file;
  expect_found(&w, "AKIACON", "container");
  expect_request(&w, 0, "GET /v1/x?id=" SECRET " HTTP/1.1\r\n");
  expect_request(&w, 0, "\r\nauthorization: " TOKEN "\r\n");
  tear_down(&w);
}

static void test_a_container_needs_no_token(void **state) {
  (void)state;
  static const struct script_reply replies[] = {
      {.after = SCRIPT_CLOSE, .data = OK(JSON_KEYS("AKIACON"))}};
  struct world w;
  set_up(&w);
  SERVE(&w, replies);
  w.options.texts.container_full_uri = script_server_url(w.f.server);
  expect_found(&w, "AKIACON", "container");
  assert_null(strcasestr(script_server_request(w.f.server, 0), "\r\nauthorization:"));
  tear_down(&w);
}

static void test_failures_of_a_container_are_told(void **state) {
  (void)state;
  static const struct {
    const char *reply;
    enum hoist_status status;
    const char *message;
  } cases[] = {
      {STATUS("401 No", SECRET), HOIST_DENIED, "container: 127.0.0.1:"},
      {STATUS("404 No", SECRET), HOIST_DENIED, "container: 127.0.0.1:"},
      {STATUS("503 No", ""), HOIST_UNAVAILABLE, "container: 127.0.0.1:"},
      {OK("<" SECRET ">"), HOIST_CORRUPT, "container: not a JSON object"},
      {OK("{}"), HOIST_CORRUPT, "there is no \"AccessKeyId\""},
      {OK("{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"" SECRET
          "\",\"Token\":\"T\",\"Expiration\":\"2001-01-01T00:00:00Z\"}"),
       HOIST_DENIED, "the credentials of container expired at 2001-01-01T00:00:00Z"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const struct script_reply replies[] = {{.after = SCRIPT_CLOSE, .data = cases[i].reply}};
    struct world w;
    set_up(&w);
    SERVE(&w, replies);
    snprintf(w.url, sizeof w.url, "%s/" SECRET "?id=" SECRET, script_server_url(w.f.server));
    w.options.texts.container_full_uri = w.url;
    expect_failure(&w, cases[i].status, cases[i].message);
    tear_down(&w);
  }
}

static void test_containers_are_asked_only_where_that_is_safe(void **state) {
  (void)state;
  static const struct {
    const char *relative, *full, *token, *message;
  } cases[] = {
      {NULL, "http://example.com/x", NULL, "is plain http to \"example.com\""},
      {NULL, "http://169.254.169.254/x", NULL, "is plain http to \"169.254.169.254\""},
      {NULL, "http://127.0.0.1.example.com/", NULL, "is plain http to"},
      {NULL, "http://[fd00:ec2::24]/", NULL, "is plain http to \"fd00:ec2::24\""},
      {NULL, "http://localhost@example.com/", NULL, "is plain http to \"example.com\""},
      {NULL, "file:///etc/passwd", NULL, "AWS_CONTAINER_CREDENTIALS_FULL_URI"},
      {"x", NULL, NULL, "does not begin with /"},
      {NULL, "http://localhost:9/", "a\nb: c", "has a line break in it"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct world w;
    set_up(&w);
    w.options.texts.container_relative_uri = cases[i].relative;
    w.options.texts.container_full_uri = cases[i].full;
    w.options.texts.container_token = cases[i].token;
    expect_failure(&w, HOIST_INVALID, cases[i].message);
    tear_down(&w);
  }
}

static void test_this_machine_may_be_asked_in_the_clear(void **state) {
  (void)state;
  static const char *const urls[] = {"http://127.8.8.8:9/", "http://[::1]:9/",
                                     "http://localhost:9/", "http://LOCALHOST:9/"};
  for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
    struct world w;
    set_up(&w);
    w.options.texts.container_full_uri = urls[i];
    expect_failure(&w, HOIST_UNAVAILABLE, "container: after 3 attempts");
    tear_down(&w);
  }
}

/* ---- instance metadata ------------------------------------------------------------------------ */

static void use_metadata(struct world *w) {
  snprintf(w->url, sizeof w->url, "%s/", script_server_url(w->f.server));
  w->options.metadata_disabled = 0;
  w->options.texts.metadata_endpoint = w->url;
}

static void test_an_instance_has_credentials(void **state) {
  (void)state;
  static const struct script_reply replies[] = {
      {.after = SCRIPT_CLOSE, .data = OK(TOKEN)},
      {.after = SCRIPT_CLOSE, .data = OK("my-role\n")},
      {.after = SCRIPT_CLOSE, .data = OK(JSON_KEYS("AKIAINS"))}};
  struct world w;
  set_up(&w);
  SERVE(&w, replies);
  use_metadata(&w);
  expect_found(&w, "AKIAINS", "instance_metadata");
  expect_request(&w, 0, "PUT /latest/api/token HTTP/1.1\r\n");
  expect_request(&w, 0, "\r\nx-aws-ec2-metadata-token-ttl-seconds: 21600\r\n");
  expect_request(&w, 1, "GET /latest/meta-data/iam/security-credentials/ HTTP/1.1\r\n");
  expect_request(&w, 1, "\r\nx-aws-ec2-metadata-token: " TOKEN "\r\n");
  expect_request(&w, 2, "GET /latest/meta-data/iam/security-credentials/my-role HTTP/1.1\r\n");
  expect_request(&w, 2, "\r\nx-aws-ec2-metadata-token: " TOKEN "\r\n");
  tear_down(&w);
}

static void test_failures_of_metadata_are_told(void **state) {
  (void)state;
  static const struct {
    const char *token, *role, *keys;
    enum hoist_status status;
    const char *message;
  } cases[] = {
      {STATUS("403 No", ""), "", "", HOIST_DENIED, "no AWS credentials: none in"},
      {STATUS("404 No", ""), "", "", HOIST_DENIED, "no AWS credentials: none in"},
      {OK(""), "", "", HOIST_CORRUPT, "instance_metadata: the metadata service's token is none"},
      {OK("a\r\nb: c"), "", "", HOIST_CORRUPT, "the metadata service's token is none"},
      {OK(TOKEN), STATUS("404 No", ""), "", HOIST_DENIED, "no AWS credentials: none in"},
      {OK(TOKEN), STATUS("401 No", ""), "", HOIST_DENIED, "instance_metadata: /latest/meta-data/"},
      {OK(TOKEN), STATUS("500 No", ""), "", HOIST_UNAVAILABLE, "instance_metadata: "},
      {OK(TOKEN), OK(""), "", HOIST_CORRUPT, "is no role's name"},
      {OK(TOKEN), OK("../../x"), "", HOIST_CORRUPT, "is no role's name"},
      {OK(TOKEN), OK("<html>"), "", HOIST_CORRUPT, "is no role's name"},
      {OK(TOKEN), OK("r"), OK("oh " SECRET), HOIST_CORRUPT, "instance_metadata: not a JSON object"},
      {OK(TOKEN), OK("r"), OK("{\"Code\":\"Failed\",\"Message\":\"no trust\"}"), HOIST_DENIED,
       "instance_metadata gives no credentials: Failed: no trust"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const struct script_reply replies[] = {{.after = SCRIPT_CLOSE, .data = cases[i].token},
                                           {.after = SCRIPT_CLOSE, .data = cases[i].role},
                                           {.after = SCRIPT_CLOSE, .data = cases[i].keys}};
    struct world w;
    set_up(&w);
    SERVE(&w, replies);
    use_metadata(&w);
    expect_failure(&w, cases[i].status, cases[i].message);
    tear_down(&w);
  }
}

static void test_metadata_that_does_not_answer_is_given_up_soon(void **state) {
  (void)state;
  static const struct script_reply replies[] = {{.data = NULL, .after = SCRIPT_STALL}};
  struct world w;
  set_up(&w);
  SERVE(&w, replies);
  use_metadata(&w);
  w.options.metadata_timeout_ms = 200;
  expect_failure(&w, HOIST_DENIED, "no AWS credentials: none in");
  assert_int_equal(script_server_requests(w.f.server), 1);
  tear_down(&w);
}

static void test_the_services_of_a_machine_are_asked_without_a_proxy(void **state) {
  (void)state;
  static const struct script_reply replies[] = {
      {.after = SCRIPT_CLOSE, .data = OK(JSON_KEYS("AKIACON"))}};
  struct world w;
  set_up(&w);
  SERVE(&w, replies);
  http_free(HOIST_TAKE(w.f.http));
  w.f.options.proxy = "http://127.0.0.1:9";
  assert_int_equal(http_new(&w.f.options, &w.f.http, NULL), HOIST_OK);
  w.options.texts.container_full_uri = script_server_url(w.f.server);
  expect_found(&w, "AKIACON", "container");
  tear_down(&w);
}

/* ---- examining -------------------------------------------------------------------------------- */

struct told {
  char lines[8][256];
  int count;
};

static void tell(void *user, const struct aws_finding *f) {
  struct told *t = user;
  snprintf(t->lines[t->count++], sizeof t->lines[0], "%s: %s: %s", f->place,
           f->skipped ? "skipped" : hoist_status_name(f->status), f->detail);
}

static void test_each_place_tells_whether_it_applies(void **state) {
  (void)state;
  static const struct script_reply replies[] = {
      {.after = SCRIPT_CLOSE, .data = OK(JSON_KEYS("AKIAIOSFODNN7EXAMPLE"))}};
  struct told t = {.count = 0};
  struct world w;
  set_up(&w);
  SERVE(&w, replies);
  w.options.texts.container_full_uri = script_server_url(w.f.server);
  assert_int_equal(aws_new(w.f.http, &w.options, &w.aws, NULL), HOIST_OK);
  assert_int_equal(aws_examine(&w.f.call, w.aws, tell, &t, NULL), HOIST_OK);
  assert_int_equal(t.count, 5);
  assert_string_equal(t.lines[0],
                      "environment: skipped: does not apply: AWS_ACCESS_KEY_ID is not set");
  assert_string_equal(
      t.lines[1], "web identity: skipped: does not apply: AWS_WEB_IDENTITY_TOKEN_FILE is not set");
  assert_string_equal(
      t.lines[2], "profile: skipped: does not apply: there is no profile \"default\" in " NO_FILE
                  " or " NO_FILE);
  assert_string_equal(t.lines[3],
                      "container: ok: gives key AKIA…MPLE until " EXPIRES " (container)");
  assert_string_equal(t.lines[4], "instance: skipped: is not asked: container comes first");
  tear_down(&w);
}

static void test_a_place_that_fails_is_told_and_ends_the_search(void **state) {
  (void)state;
  struct told t = {.count = 0};
  struct world w;
  set_up(&w);
  w.options.texts.web_identity_token_file = NO_FILE;
  w.options.texts.role_arn = ROLE;
  assert_int_equal(aws_new(w.f.http, &w.options, &w.aws, NULL), HOIST_OK);
  assert_int_equal(aws_examine(&w.f.call, w.aws, tell, &t, NULL), HOIST_OK);
  assert_ptr_equal(strstr(t.lines[1], "web identity: denied: the web identity token: "),
                   t.lines[1]);
  assert_string_equal(t.lines[2], "profile: skipped: is not asked: web identity comes first");
  tear_down(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_keys_that_are_set_come_first),
      cmocka_unit_test(test_half_a_pair_of_keys_is_refused),
      cmocka_unit_test(test_where_nothing_applies_it_says_what_to_do),
      cmocka_unit_test(test_a_role_is_taken_on_with_a_token),
      cmocka_unit_test(test_failures_of_web_identity_are_told),
      cmocka_unit_test(test_web_identity_needs_its_parts),
      cmocka_unit_test(test_sts_is_where_the_region_is),
      cmocka_unit_test(test_a_profile_has_keys),
      cmocka_unit_test(test_a_role_is_taken_on_with_another_profile),
      cmocka_unit_test(test_a_profile_may_be_its_own_source),
      cmocka_unit_test(test_a_profile_takes_on_a_role_with_a_token),
      cmocka_unit_test(test_a_role_is_taken_on_with_what_the_environment_has),
      cmocka_unit_test(test_a_profile_runs_a_command),
      cmocka_unit_test(test_profiles_that_make_no_sense_are_refused),
      cmocka_unit_test(test_sts_may_refuse_a_profiles_role),
      cmocka_unit_test(test_files_are_read_again_for_each_search),
      cmocka_unit_test(test_a_container_has_credentials),
      cmocka_unit_test(test_a_container_needs_no_token),
      cmocka_unit_test(test_failures_of_a_container_are_told),
      cmocka_unit_test(test_containers_are_asked_only_where_that_is_safe),
      cmocka_unit_test(test_this_machine_may_be_asked_in_the_clear),
      cmocka_unit_test(test_an_instance_has_credentials),
      cmocka_unit_test(test_failures_of_metadata_are_told),
      cmocka_unit_test(test_metadata_that_does_not_answer_is_given_up_soon),
      cmocka_unit_test(test_the_services_of_a_machine_are_asked_without_a_proxy),
      cmocka_unit_test(test_each_place_tells_whether_it_applies),
      cmocka_unit_test(test_a_place_that_fails_is_told_and_ends_the_search),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
