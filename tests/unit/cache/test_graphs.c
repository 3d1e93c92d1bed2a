/* SPDX-License-Identifier: Apache-2.0 */
/* Saved graphs on disk: whole or not there, verified, trimmed, and gone with their model. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cache_fixture.h"
#include "fs.h"
#include "graph_record.h"
#include "text.h"

#define KEY "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define CONTENT "the graph of a model"

static const struct made_file coco[] = {{"weights.onnx", "weights"}, {0}};
static const struct made_file other[] = {{"weights.onnx", "others!"}, {0}};
static const struct cache_graph_facts facts = {
    .form = "mapped", .weights_ns = 36000000, .graph_ns = 9700000, .created_unix_s = 1795753652};

static int setup_with_coco(void **state) {
  if (fixture_set_up(state) != 0) return -1;
  struct fixture *f = *state;
  return model_publish(f->cache, "coco/3", coco, NULL, NULL) == HOIST_OK ? 0 : -1;
}

static enum hoist_status save(struct fixture *f, const char *key, const char *content,
                              const struct cache_graph_facts *what, struct hoist_error *err) {
  struct model_id id = id_of("coco/3");
  HOIST_AUTO(cache_graph_txn) struct cache_graph_txn *txn = NULL;
  HOIST_AUTO(mem) char *dir = NULL;
  uint64_t bytes = 0;
  enum hoist_status status = cache_graph_begin(f->cache, &id, key, &txn, err);
  if (status == HOIST_OK) status = cache_graph_stage(txn, "mapped", &dir, err);
  if (status != HOIST_OK) return status;
  char path[512];
  snprintf(path, sizeof path, "%s/graph.ort", dir);
  HOIST_AUTO(fd) int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  status = fs_write_all(fd, content, strlen(content), path, err);
  if (status == HOIST_OK)
    status = cache_graph_commit(&no_limits, HOIST_TAKE(txn), "mapped", what, &bytes, err);
  if (status == HOIST_OK) assert_int_equal(bytes, what->objection[0] ? 0 : strlen(content));
  return status;
}

static enum hoist_status find_how(struct fixture *f, const char *key, enum cache_verification how,
                                  struct cache_graph **ret_graph, struct cache_graph_facts *ret,
                                  struct hoist_error *err) {
  struct model_id id = id_of("coco/3");
  return cache_graph_find(&no_limits, f->cache, &id, key, how, ret_graph, ret, err);
}

static enum hoist_status find(struct fixture *f, const char *key, struct hoist_error *err) {
  HOIST_AUTO(cache_graph) struct cache_graph *graph = NULL;
  return find_how(f, key, CACHE_VERIFY_STAT, &graph, NULL, err);
}

static void graph_path(const struct fixture *f, const char *file, char *out, size_t size) {
  struct model_id id = id_of("coco/3");
  HOIST_AUTO(cache_graph) struct cache_graph *graph = NULL;
  assert_int_equal(
      cache_graph_find(&no_limits, f->cache, &id, KEY, CACHE_VERIFY_STAT, &graph, NULL, NULL),
      HOIST_OK);
  snprintf(out, size, "%s/%s", cache_graph_dir(graph), file);
}

/* ---- finding ----------------------------------------------------------------------------- */

static void test_a_saved_graph_is_found_with_its_facts(void **state) {
  struct fixture *f = *state;
  HOIST_AUTO(cache_graph) struct cache_graph *graph = NULL;
  struct cache_graph_facts found;
  void *map = NULL;
  size_t size = 0;
  assert_int_equal(find(f, KEY, NULL), HOIST_NOT_FOUND);
  assert_int_equal(save(f, KEY, CONTENT, &facts, NULL), HOIST_OK);
  assert_int_equal(find_how(f, KEY, CACHE_VERIFY_SHA256, &graph, &found, NULL), HOIST_OK);
  assert_string_equal(found.form, "mapped");
  assert_int_equal(found.weights_ns, facts.weights_ns);
  assert_int_equal(found.graph_ns, facts.graph_ns);
  assert_int_equal(found.created_unix_s, facts.created_unix_s);
  assert_true(cache_graph_has(graph, "graph.ort"));
  assert_false(cache_graph_has(graph, "graph.onnx"));
  assert_int_equal(cache_graph_size(graph), strlen(CONTENT));
  assert_int_equal(cache_graph_map(graph, "graph.ort", &map, &size, NULL), HOIST_OK);
  assert_int_equal(size, strlen(CONTENT));
  assert_memory_equal(map, CONTENT, size);
  assert_int_equal(cache_graph_map(graph, "nothing", &map, &size, NULL), HOIST_CORRUPT);
  assert_int_equal(cache_graph_check_unchanged(graph, NULL), HOIST_OK);
  assert_int_equal(find(f, "another-key", NULL), HOIST_NOT_FOUND);
  munmap(map, size);
}

static void test_an_objection_is_found_as_one(void **state) {
  struct fixture *f = *state;
  struct cache_graph_facts objection = facts, found;
  struct hoist_error err;
  HOIST_AUTO(cache_graph) struct cache_graph *graph = NULL;
  text_copy(objection.objection, sizeof objection.objection, "not worth it");
  assert_int_equal(save(f, KEY, CONTENT, &objection, NULL), HOIST_OK);
  assert_int_equal(find_how(f, KEY, CACHE_VERIFY_STAT, &graph, &found, &err), HOIST_UNSUPPORTED);
  assert_null(graph);
  assert_string_equal(found.objection, "not worth it");
  assert_non_null(strstr(err.message, "not worth it"));
  struct model_id id = id_of("coco/3");
  assert_in_range(cache_graph_bytes(f->cache, &id), 1, 1000); /* no graph is kept with it */
}

/* ---- damage ------------------------------------------------------------------------------ */

static void test_a_graph_that_was_changed_is_refused_whatever_the_policy(void **state) {
  struct fixture *f = *state;
  static const char *const damages[] = {"flip", "cut", "grow", "replace", "remove", "link"};
  for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
    char path[512];
    struct hoist_error err = {0};
    assert_int_equal(save(f, KEY, CONTENT, &facts, NULL), HOIST_OK);
    graph_path(f, "graph.ort", path, sizeof path);
    HOIST_AUTO(fd) int fd = open(path, O_RDWR | O_CLOEXEC);
    if (i == 0) assert_int_equal(pwrite(fd, "X", 1, 5), 1);
    if (i == 1) assert_int_equal(ftruncate(fd, 3), 0);
    if (i == 2) assert_int_equal(pwrite(fd, "X", 1, 100), 1);
    if (i >= 3) assert_int_equal(unlink(path), 0);
    if (i == 3) {
      HOIST_AUTO(fd) int new_fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
      assert_int_equal(write(new_fd, "the graph of nothing", 20), 20);
    }
    if (i == 5) assert_int_equal(symlink("/etc/passwd", path), 0);
    if (find(f, KEY, &err) != HOIST_CORRUPT) fail_msg("%s: %s", damages[i], err.message);
    assert_non_null(strstr(err.message, "graph.ort"));
    HOIST_AUTO(cache_graph) struct cache_graph *graph = NULL;
    assert_int_equal(find_how(f, KEY, CACHE_VERIFY_SHA256, &graph, NULL, NULL), HOIST_CORRUPT);
  }
}

static void test_a_copy_of_a_cache_is_compared_once_and_known_then(void **state) {
  struct fixture *f = *state;
  char path[512], copy[600], record[512];
  HOIST_AUTO(buf) struct buf before = buf_make(8192), after = buf_make(8192);
  assert_int_equal(save(f, KEY, CONTENT, &facts, NULL), HOIST_OK);
  graph_path(f, "graph.ort", path, sizeof path);
  graph_path(f, GRAPH_RECORD, record, sizeof record);
  assert_int_equal(fs_read_file(AT_FDCWD, record, &before, NULL), HOIST_OK);
  snprintf(copy, sizeof copy, "%s.copy", path);
  HOIST_AUTO(fd) int fd = open(copy, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  assert_int_equal(write(fd, CONTENT, strlen(CONTENT)), strlen(CONTENT));
  assert_int_equal(rename(copy, path), 0);
  usleep(50000);
  assert_int_equal(find(f, KEY, NULL), HOIST_OK);
  assert_int_equal(fs_read_file(AT_FDCWD, record, &after, NULL), HOIST_OK);
  assert_string_not_equal(buf_str(&before), buf_str(&after));
  assert_int_equal(find(f, KEY, NULL), HOIST_OK);
  buf_done(&after);
}

static void test_a_graph_changed_while_it_is_opened_is_noticed(void **state) {
  struct fixture *f = *state;
  char path[512];
  HOIST_AUTO(cache_graph) struct cache_graph *graph = NULL;
  assert_int_equal(save(f, KEY, CONTENT, &facts, NULL), HOIST_OK);
  assert_int_equal(find_how(f, KEY, CACHE_VERIFY_STAT, &graph, NULL, NULL), HOIST_OK);
  graph_path(f, "graph.ort", path, sizeof path);
  assert_int_equal(chmod(path, 0400), 0);
  assert_int_equal(cache_graph_check_unchanged(graph, NULL), HOIST_CORRUPT);
}

static void test_a_graph_that_is_removed_stays_mapped(void **state) {
  struct fixture *f = *state;
  struct model_id id = id_of("coco/3");
  HOIST_AUTO(cache_graph) struct cache_graph *graph = NULL;
  void *map = NULL;
  size_t size = 0;
  assert_int_equal(save(f, KEY, CONTENT, &facts, NULL), HOIST_OK);
  assert_int_equal(find_how(f, KEY, CACHE_VERIFY_STAT, &graph, NULL, NULL), HOIST_OK);
  cache_graph_remove(f->cache, &id, KEY);
  assert_int_equal(find(f, KEY, NULL), HOIST_NOT_FOUND);
  assert_int_equal(cache_graph_map(graph, "graph.ort", &map, &size, NULL), HOIST_OK);
  assert_memory_equal(map, CONTENT, size);
  munmap(map, size);
}

/* ---- making ------------------------------------------------------------------------------ */

static void test_one_at_a_time_makes_a_graph_and_leaves_nothing_when_it_gives_up(void **state) {
  struct fixture *f = *state;
  struct model_id id = id_of("coco/3");
  struct cache_graph_txn *first = NULL, *second = NULL;
  HOIST_AUTO(mem) char *dir = NULL;
  assert_int_equal(cache_graph_begin(f->cache, &id, KEY, &first, NULL), HOIST_OK);
  assert_int_equal(cache_graph_begin(f->cache, &id, KEY, &second, NULL), HOIST_UNAVAILABLE);
  assert_int_equal(cache_graph_stage(first, "mapped", &dir, NULL), HOIST_OK);
  cache_graph_discard(first);
  assert_int_not_equal(access(dir, F_OK), 0);
  assert_int_equal(find(f, KEY, NULL), HOIST_NOT_FOUND);
  assert_int_equal(cache_graph_begin(f->cache, &id, KEY, &second, NULL), HOIST_OK);
  cache_graph_discard(second);
  cache_graph_discard(NULL);
}

static int die_while_making(void *user) {
  struct fixture *f = user;
  struct model_id id = id_of("coco/3");
  struct cache_graph_txn *txn = NULL;
  char *dir = NULL;
  if (cache_graph_begin(f->cache, &id, KEY, &txn, NULL) != HOIST_OK) return 1;
  return cache_graph_stage(txn, "mapped", &dir, NULL) == HOIST_OK ? 0 : 1;
}

static void test_what_a_crash_leaves_is_removed_by_the_next(void **state) {
  struct fixture *f = *state;
  struct model_id id = id_of("coco/3");
  char place[512];
  assert_int_equal(run_in_child(die_while_making, f), 0);
  assert_int_equal(find(f, KEY, NULL), HOIST_NOT_FOUND);
  assert_int_equal(save(f, KEY, CONTENT, &facts, NULL), HOIST_OK);
  graph_path(f, "", place, sizeof place);
  char *below = place + strlen(f->root) + 1;
  below[strlen(below) - 1 - strlen(KEY) - 1] = '\0';
  assert_int_equal(path_count(f, below), 2); /* the graph and the lock */
  assert_true(cache_graph_bytes(f->cache, &id) > strlen(CONTENT));
}

static void test_the_oldest_of_many_graphs_goes(void **state) {
  struct fixture *f = *state;
  char key[DIGEST_HEX_SIZE];
  for (int i = 0; i < CACHE_GRAPHS_PER_MODEL + 3; i++) {
    memset(key, 'a' + i, sizeof key - 1);
    key[sizeof key - 1] = '\0';
    assert_int_equal(save(f, key, CONTENT, &facts, NULL), HOIST_OK);
    assert_int_equal(find(f, key, NULL), HOIST_OK);
  }
  int found = 0;
  for (int i = 0; i < CACHE_GRAPHS_PER_MODEL + 3; i++) {
    memset(key, 'a' + i, sizeof key - 1);
    found += find(f, key, NULL) == HOIST_OK;
  }
  assert_int_equal(found, CACHE_GRAPHS_PER_MODEL);
}

static void test_a_read_only_cache_has_no_new_graphs(void **state) {
  struct fixture *f = *state;
  struct hoist_error err = {0};
  assert_true(
      path_write(f, ".hoist/graphs", "", 0)); /* root may write everywhere: a file in the way */
  assert_int_not_equal(save(f, KEY, CONTENT, &facts, &err), HOIST_OK);
  assert_true(err.message[0] != '\0');
  assert_int_equal(find(f, KEY, NULL), HOIST_NOT_FOUND);
}

/* ---- with their model -------------------------------------------------------------------- */

static void test_a_graph_goes_with_its_model_and_counts_as_its_size(void **state) {
  struct fixture *f = *state;
  struct model_id id = id_of("coco/3");
  uint64_t freed = 0;
  assert_int_equal(save(f, KEY, CONTENT, &facts, NULL), HOIST_OK);
  uint64_t bytes = cache_graph_bytes(f->cache, &id);
  assert_int_equal(model_remove(f->cache, "coco/3", &freed, NULL), HOIST_OK);
  assert_true(freed >= bytes + strlen("weights"));
  assert_int_equal(cache_graph_bytes(f->cache, &id), 0);
  assert_int_equal(path_count(f, ".hoist/graphs"), 0);
}

static void test_a_graph_of_an_earlier_version_goes_when_the_model_is_replaced(void **state) {
  struct fixture *f = *state;
  assert_int_equal(save(f, KEY, CONTENT, &facts, NULL), HOIST_OK);
  assert_int_equal(model_publish(f->cache, "coco/3", other, NULL, NULL), HOIST_OK);
  assert_int_equal(find(f, KEY, NULL), HOIST_NOT_FOUND);
}

static void note_reason(void *user, const struct cache_removal *removal) {
  snprintf(user, 64, "%s", removal->reason);
}

static void test_clean_ups_count_graphs_and_remove_those_without_a_model(void **state) {
  struct fixture *f = *state;
  char reason[64] = "";
  assert_int_equal(save(f, KEY, CONTENT, &facts, NULL), HOIST_OK);
  struct cache_cleanup done = {.removed = note_reason, .user = reason};
  /* The model alone would fit. */
  const struct cache_limits limits = {.max_bytes = 50, .max_unused_s = UINT64_MAX, .dry_run = 1};
  assert_int_equal(cache_evict(&no_limits, f->cache, &limits, &done, NULL), HOIST_OK);
  assert_string_equal(reason, "size");
  assert_true(path_remove(f, "coco")); /* by hand */
  done = (struct cache_cleanup){.removed = note_reason, .user = reason};
  assert_int_equal(cache_sweep(&no_limits, f->cache, 1, &done, NULL), HOIST_OK);
  assert_int_equal(path_count(f, ".hoist/graphs"), 1);
  done = (struct cache_cleanup){.removed = note_reason, .user = reason};
  assert_int_equal(cache_sweep(&no_limits, f->cache, 0, &done, NULL), HOIST_OK);
  assert_int_equal(done.removed_leftovers, 1);
  assert_true(done.freed_bytes > strlen(CONTENT));
  assert_int_equal(path_count(f, ".hoist/graphs"), 0);
  assert_true(path_count(f, ".hoist/verified") <= 0);
}

static struct cache_cleanup sweep(struct fixture *f, int dry_run, char *reason) {
  struct cache_cleanup done = {.removed = note_reason, .user = reason};
  assert_int_equal(cache_sweep(&no_limits, f->cache, dry_run, &done, NULL), HOIST_OK);
  return done;
}

/* A process that saves a graph, and is killed. */
static void leave_unfinished(struct fixture *f) {
  pid_t child = fork();
  if (child == 0) {
    struct model_id id = id_of("coco/3");
    struct cache_graph_txn *txn = NULL;
    char *dir = NULL, path[512];
    bool ok = cache_graph_begin(f->cache, &id, KEY, &txn, NULL) == HOIST_OK &&
              cache_graph_stage(txn, "mapped", &dir, NULL) == HOIST_OK;
    snprintf(path, sizeof path, "%s/graph.ort", dir);
    int fd = ok ? open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) : -1;
    ok = ok && write(fd, CONTENT, strlen(CONTENT)) == (ssize_t)strlen(CONTENT);
    _exit(ok ? 0 : 1);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
}

static void test_clean_ups_remove_what_a_killed_saving_left(void **state) {
  struct fixture *f = *state;
  char reason[64] = "";
  assert_int_equal(save(f, KEY, CONTENT, &facts, NULL), HOIST_OK);
  leave_unfinished(f);
  assert_int_equal(sweep(f, 1, reason).freed_bytes, strlen(CONTENT));
  assert_string_equal(reason, "saving");
  struct cache_cleanup done = sweep(f, 0, reason);
  assert_int_equal(done.removed_leftovers, 1);
  assert_int_equal(done.freed_bytes, strlen(CONTENT));
  assert_int_equal(sweep(f, 0, reason).removed_leftovers, 0);
  assert_int_equal(find(f, KEY, NULL), HOIST_OK);
}

static void test_clean_ups_leave_a_graph_that_is_being_saved(void **state) {
  struct fixture *f = *state;
  struct model_id id = id_of("coco/3");
  char reason[64] = "";
  HOIST_AUTO(cache_graph_txn) struct cache_graph_txn *txn = NULL;
  HOIST_AUTO(mem) char *dir = NULL;
  assert_int_equal(cache_graph_begin(f->cache, &id, KEY, &txn, NULL), HOIST_OK);
  assert_int_equal(cache_graph_stage(txn, "mapped", &dir, NULL), HOIST_OK);
  assert_int_equal(sweep(f, 1, reason).removed_leftovers, 0);
  assert_int_equal(sweep(f, 0, reason).removed_leftovers, 0);
  assert_int_equal(access(dir, F_OK), 0);
}

/* ---- records ----------------------------------------------------------------------------- */

static void make_record(struct buf *text) {
  struct graph_record r = {.facts = facts, .file_count = 1};
  text_copy(r.files[0].name, sizeof r.files[0].name, "graph.ort");
  r.files[0].digest.kind = DIGEST_SHA256;
  r.files[0].settled = true;
  assert_int_equal(graph_record_print(&r, text, NULL), HOIST_OK);
}

static void test_a_record_is_read_as_it_was_written_or_not_at_all(void **state) {
  HOIST_AUTO(buf) struct buf text = buf_make(8192);
  struct graph_record back;
  make_record(&text);
  assert_int_equal(graph_record_parse(buf_str(&text), text.size, &back, NULL), HOIST_OK);
  assert_string_equal(back.files[0].name, "graph.ort");
  assert_true(back.files[0].settled);
  assert_int_equal(back.facts.graph_ns, facts.graph_ns);
  for (size_t size = 0; size < text.size; size++) {
    HOIST_AUTO(mem) char *cut = strndup(buf_str(&text), size);
    assert_int_equal(graph_record_parse(cut, size, &back, NULL), HOIST_CORRUPT);
  }
  static const char *const bad[] = {
      "hoist-graph 2\nform x\nweights_ns 1\ngraph_ns 1\ncreated 1\nobjection y\nend\n",
      "hoist-graph 1\nform x\nweights_ns -1\ngraph_ns 1\ncreated 1\nobjection y\nend\n",
      "hoist-graph 1\nform x\nweights_ns 1\ngraph_ns 1\ncreated 1\nobjection \nend\n",
      "hoist-graph 1\nform 0123456789012345678901234567890\nweights_ns 1\ngraph_ns 1\ncreated "
      "1\nobjection y\nend\n",
      "hoist-graph 1\nform x\nweights_ns 1\ngraph_ns 1\ncreated 1\nobjection \nfile ../x "
      "0011223344556677889900112233445566778899001122334455667788990011 1 1 1 1 1.1 1.1\nend\n",
      "hoist-graph 1\nform x\nweights_ns 1\ngraph_ns 1\ncreated 1\nobjection \nfile x "
      "0011223344556677889900112233445566778899001122334455667788990011 1 1 1 -1 1.1 1.1\nend\n",
  };
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
    if (graph_record_parse(bad[i], strlen(bad[i]), &back, NULL) != HOIST_CORRUPT)
      fail_msg("taken: %s", bad[i]);
}

int main(void) {
#define CASE(test) cmocka_unit_test_setup_teardown(test, setup_with_coco, fixture_tear_down)
  const struct CMUnitTest tests[] = {
      CASE(test_a_saved_graph_is_found_with_its_facts),
      CASE(test_an_objection_is_found_as_one),
      CASE(test_a_graph_that_was_changed_is_refused_whatever_the_policy),
      CASE(test_a_copy_of_a_cache_is_compared_once_and_known_then),
      CASE(test_a_graph_changed_while_it_is_opened_is_noticed),
      CASE(test_a_graph_that_is_removed_stays_mapped),
      CASE(test_one_at_a_time_makes_a_graph_and_leaves_nothing_when_it_gives_up),
      CASE(test_what_a_crash_leaves_is_removed_by_the_next),
      CASE(test_the_oldest_of_many_graphs_goes),
      CASE(test_a_read_only_cache_has_no_new_graphs),
      CASE(test_a_graph_goes_with_its_model_and_counts_as_its_size),
      CASE(test_a_graph_of_an_earlier_version_goes_when_the_model_is_replaced),
      CASE(test_clean_ups_count_graphs_and_remove_those_without_a_model),
      CASE(test_clean_ups_remove_what_a_killed_saving_left),
      CASE(test_clean_ups_leave_a_graph_that_is_being_saved),
      cmocka_unit_test(test_a_record_is_read_as_it_was_written_or_not_at_all),
  };
  return cmocka_run_group_tests_name("cache_graphs", tests, NULL, NULL);
}
