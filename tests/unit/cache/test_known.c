/* SPDX-License-Identifier: Apache-2.0 */
/* Models known by their files' identities: what is taken on trust and what never is. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cache_fixture.h"
#include "clock.h"
#include "fs.h"
#include "identity.h"

static const struct made_file coco[] = {
    {"environment.json", "{}"}, {"sub/names.txt", "a\nb\n"}, {"weights.onnx", "weights"}, {0}};
static const struct made_file other[] = {
    {"environment.json", "{}"}, {"sub/names.txt", "a\nb\n"}, {"weights.onnx", "WEIGHTS"}, {0}};

/* @param ret_known  whether the bytes were not even read */
static enum hoist_status look(struct fixture *f, enum cache_verification how, bool *ret_known,
                              struct hoist_error *err) {
  struct model_id id = id_of("coco/3");
  struct cache_claim *claim = NULL;
  HOIST_AUTO(cache_entry) struct cache_entry *entry = NULL;
  enum hoist_status status = cache_claim(&no_limits, f->cache, &id, how, &claim, err);
  if (status != HOIST_OK) return status;
  *ret_known = cache_claim_is_known(claim);
  uint64_t serial = cache_claim_serial(claim);
  assert_string_equal(cache_claim_model_id(claim), "coco/3");
  assert_int_equal(cache_claim_manifest(claim)->file_count, 3);
  status = cache_claim_prove(&no_limits, claim, &entry, err);
  if (status == HOIST_OK) assert_int_equal(cache_entry_serial(entry), serial);
  if (status == HOIST_OK) assert_int_equal(cache_entry_check_unchanged(entry, err), HOIST_OK);
  return status;
}

static bool is_known(struct fixture *f) {
  bool known = false;
  struct hoist_error err;
  if (look(f, CACHE_VERIFY_STAT, &known, &err) != HOIST_OK) fail_msg("%s", err.message);
  return known;
}

/* A file that changed within the last few milliseconds might change again and look the same. */
static void become_known(struct fixture *f) {
  for (int i = 0; i < 200; i++) {
    if (is_known(f)) return;
    usleep(10000);
  }
  fail_msg("the model never becomes known");
}

static int setup_known(void **state) {
  if (fixture_set_up(state) != 0) return -1;
  struct fixture *f = *state;
  if (model_publish(f->cache, "coco/3", coco, NULL, NULL) != HOIST_OK) return -1;
  become_known(f);
  return 0;
}

static void test_a_model_whose_bytes_were_compared_is_known(void **state) {
  struct fixture *f = *state;
  bool known = true;
  assert_true(is_known(f));
  assert_int_equal(look(f, CACHE_VERIFY_SHA256, &known, NULL), HOIST_OK);
  assert_false(known);
  assert_true(is_known(f));
}

static void full(const struct fixture *f, const char *path, char *out, size_t size) {
  snprintf(out, size, "%s/%s", f->root, path);
}

static void overwrite(const struct fixture *f, const char *path, const char *text, off_t at) {
  char name[256];
  full(f, path, name, sizeof name);
  HOIST_AUTO(fd) int fd = open(name, O_WRONLY | O_CLOEXEC);
  assert_true(fd >= 0);
  assert_int_equal(pwrite(fd, text, strlen(text), at), strlen(text));
}

static void test_changed_bytes_are_always_found(void **state) {
  struct fixture *f = *state;
  static const char *const files[] = {"coco/3/weights.onnx", "coco/3/sub/names.txt",
                                      "coco/3/environment.json"};
  for (size_t i = 0; i < 3; i++) {
    struct hoist_error err = {0};
    bool known = true;
    char name[256];
    struct stat before;
    full(f, files[i], name, sizeof name);
    assert_int_equal(stat(name, &before), 0);
    overwrite(f, files[i], "X", 1);
    /* Not even with its old time of modification is it taken for the same. */
    const struct timespec times[] = {before.st_atim, before.st_mtim};
    assert_int_equal(utimensat(AT_FDCWD, name, times, 0), 0);
    assert_int_equal(look(f, CACHE_VERIFY_STAT, &known, &err), HOIST_CORRUPT);
    assert_false(known);
    assert_non_null(strstr(err.message, "sha256 is"));
    assert_int_equal(model_publish(f->cache, "coco/3", coco, NULL, NULL), HOIST_OK);
    become_known(f);
  }
}

static void test_bytes_changed_through_a_mapping_are_found(void **state) {
  struct fixture *f = *state;
  char name[256];
  bool known = true;
  full(f, "coco/3/weights.onnx", name, sizeof name);
  HOIST_AUTO(fd) int fd = open(name, O_RDWR | O_CLOEXEC);
  char *map = mmap(NULL, 7, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  assert_true(map != MAP_FAILED);
  map[3] ^= 1;
  assert_int_equal(msync(map, 7, MS_SYNC), 0);
  assert_int_equal(look(f, CACHE_VERIFY_STAT, &known, NULL), HOIST_CORRUPT);
  munmap(map, 7);
}

static void test_the_same_bytes_in_another_file_are_compared_again(void **state) {
  struct fixture *f = *state;
  char from[256], to[256];
  full(f, "coco/3/weights.onnx", from, sizeof from);
  full(f, "copy", to, sizeof to);
  assert_true(path_write(f, "copy", "weights", 7));
  assert_int_equal(rename(to, from), 0);
  assert_false(is_known(f));
  become_known(f);
}

static void test_an_attribute_that_changed_means_a_comparison(void **state) {
  struct fixture *f = *state;
  char name[256];
  full(f, "coco/3/weights.onnx", name, sizeof name);
  assert_int_equal(chmod(name, 0600), 0);
  assert_false(is_known(f));
  become_known(f);
}

static void test_a_model_that_is_replaced_is_not_known_by_the_old_note(void **state) {
  struct fixture *f = *state;
  bool known = true;
  assert_int_equal(model_publish(f->cache, "coco/3", other, NULL, NULL), HOIST_OK);
  assert_int_equal(look(f, CACHE_VERIFY_STAT, &known, NULL), HOIST_OK);
  assert_int_equal(model_check(f->cache, "coco/3", other, NULL), HOIST_OK);
}

static void test_a_manifest_that_was_exchanged_is_not_known(void **state) {
  struct fixture *f = *state;
  HOIST_AUTO(buf) struct buf text = buf_make(1 << 20);
  char name[256];
  bool known = true;
  full(f, "coco/3/.hoist-manifest.json", name, sizeof name);
  assert_int_equal(fs_read_file(AT_FDCWD, name, &text, NULL), HOIST_OK);
  char *digest = strstr(text.data, "\"sha256\"");
  assert_non_null(digest);
  digest = strchr(digest, ':');
  while (*digest != '"' || digest[1] < '0')
    digest++;
  digest[1] = digest[1] == 'a' ? 'b' : 'a';
  assert_true(path_write(f, "coco/3/.hoist-manifest.json", text.data, text.size));
  assert_int_equal(look(f, CACHE_VERIFY_STAT, &known, NULL), HOIST_CORRUPT);
  assert_false(known);
}

static void note_path(const struct fixture *f, char *out, size_t size) {
  char pattern[128];
  snprintf(pattern, sizeof pattern, "ls %s/.hoist/verified", f->root);
  FILE *listing = popen(pattern, "r");
  char name[128] = "";
  assert_non_null(fgets(name, sizeof name, listing));
  pclose(listing);
  name[strcspn(name, "\n")] = '\0';
  snprintf(out, size, ".hoist/verified/%s", name);
}

static void test_a_note_that_is_damaged_or_torn_is_no_note(void **state) {
  struct fixture *f = *state;
  char path[256], name[512];
  note_path(f, path, sizeof path);
  full(f, path, name, sizeof name);
  HOIST_AUTO(buf) struct buf text = buf_make(1 << 20);
  assert_int_equal(fs_read_file(AT_FDCWD, name, &text, NULL), HOIST_OK);
  for (size_t size = 0; size < text.size; size++) {
    assert_true(path_write(f, path, text.data, size));
    assert_false(is_known(f));
  }
  for (size_t i = 0; i < text.size; i++) {
    char kept = text.data[i];
    text.data[i] = kept == '7' ? '8' : '7';
    assert_true(path_write(f, path, text.data, text.size));
    assert_false(is_known(f));
    text.data[i] = kept;
  }
  become_known(f);
}

static void test_a_cache_that_cannot_keep_notes_compares_every_time(void **state) {
  struct fixture *f = *state;
  assert_true(path_remove(f, ".hoist/verified"));
  assert_true(path_write(f, ".hoist/verified", "", 0)); /* a file is in its way */
  assert_false(is_known(f));
  assert_false(is_known(f));
}

static void test_removal_takes_the_note_along(void **state) {
  struct fixture *f = *state;
  assert_int_equal(path_count(f, ".hoist/verified"), 1);
  assert_int_equal(model_remove(f->cache, "coco/3", NULL, NULL), HOIST_OK);
  assert_int_equal(path_count(f, ".hoist/verified"), 0);
}

static void test_a_claim_that_is_dropped_lets_the_model_go(void **state) {
  struct fixture *f = *state;
  struct model_id id = id_of("coco/3");
  struct cache_claim *claim = NULL;
  assert_int_equal(cache_claim(&no_limits, f->cache, &id, CACHE_VERIFY_STAT, &claim, NULL),
                   HOIST_OK);
  struct cache_claim *second = NULL;
  assert_int_equal(cache_claim(&no_limits, f->cache, &id, CACHE_VERIFY_STAT, &second, NULL),
                   HOIST_OK);
  assert_int_not_equal(cache_claim_serial(claim), cache_claim_serial(second));
  cache_claim_release(claim);
  cache_claim_release(second);
  cache_claim_release(NULL);
  assert_int_equal(model_remove(f->cache, "coco/3", NULL, NULL), HOIST_OK);
}

/* ---- identities -------------------------------------------------------------------------- */

static void test_an_identity_is_settled_once_its_last_change_is_past(void **state) {
  const uint64_t second = NS_PER_S, ms = NS_PER_MS;
  static const struct file_identity changed_at_100 = {.changed = {.tv_sec = 100}};
  assert_false(identity_is_settled(&changed_at_100, 100 * second));
  assert_false(identity_is_settled(&changed_at_100, 100 * second + 19 * ms));
  assert_true(identity_is_settled(&changed_at_100, 100 * second + 20 * ms));
  assert_false(identity_is_settled(&changed_at_100, 99 * second)); /* a clock that was set back */
  static const struct file_identity before_all = {.changed = {.tv_sec = -5}};
  assert_false(identity_is_settled(&before_all, 100 * second));
}

static void test_identities_survive_being_written_down(void **state) {
  const struct file_identity identities[] = {
      {0},
      {.dev = 65024,
       .ino = 11019211,
       .size = 5140664,
       .modified = {1795753652, 258264023},
       .changed = {1795753652, 7}},
      {.dev = (dev_t)UINT64_MAX,
       .ino = (ino_t)UINT64_MAX,
       .size = INT64_MAX,
       .modified = {-1, 999999999},
       .changed = {INT32_MAX, 0}},
  };
  for (size_t i = 0; i < 3; i++) {
    char text[IDENTITY_TEXT_SIZE];
    struct file_identity back;
    const char *end;
    identity_print(&identities[i], text);
    assert_true(identity_scan(text, &back, &end));
    assert_int_equal(*end, '\0');
    assert_true(identity_is_same(&identities[i], &back));
  }
  static const char *const bad[] = {"", "1", "1 2 3", "1 2 3 4.5", "1 2 3 4.5 x", "a b c d e"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    struct file_identity ignored;
    const char *end;
    assert_false(identity_scan(bad[i], &ignored, &end));
  }
}

int main(void) {
#define KNOWN(test) cmocka_unit_test_setup_teardown(test, setup_known, fixture_tear_down)
  const struct CMUnitTest tests[] = {
      KNOWN(test_a_model_whose_bytes_were_compared_is_known),
      KNOWN(test_changed_bytes_are_always_found),
      KNOWN(test_bytes_changed_through_a_mapping_are_found),
      KNOWN(test_the_same_bytes_in_another_file_are_compared_again),
      KNOWN(test_an_attribute_that_changed_means_a_comparison),
      KNOWN(test_a_model_that_is_replaced_is_not_known_by_the_old_note),
      KNOWN(test_a_manifest_that_was_exchanged_is_not_known),
      KNOWN(test_a_note_that_is_damaged_or_torn_is_no_note),
      KNOWN(test_a_cache_that_cannot_keep_notes_compares_every_time),
      KNOWN(test_removal_takes_the_note_along),
      KNOWN(test_a_claim_that_is_dropped_lets_the_model_go),
      cmocka_unit_test(test_an_identity_is_settled_once_its_last_change_is_past),
      cmocka_unit_test(test_identities_survive_being_written_down),
  };
  return cmocka_run_group_tests_name("cache_known", tests, NULL, NULL);
}
