/* SPDX-License-Identifier: Apache-2.0 */
/* Archives put together block by block: what becomes of good ones, and what is said of bad ones. Those of real
 * archivers are unpacked in tests/integration/kserve.test.mjs. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <zlib.h>

#include "fs.h"
#include "text.h"
#include "unpack.h"

#define MAX_ARCHIVE 65536

struct world {
  char root[64];
  struct dest *dest;
  struct call call;
  struct hoist_error err;
  struct unpacked unpacked;
  unsigned char archive[MAX_ARCHIVE];
  size_t size;
};

static int set_up(void **state) {
  struct world *w = calloc(1, sizeof *w);
  strcpy(w->root, "/tmp/hoist-unpack-XXXXXX");
  assert_non_null(mkdtemp(w->root));
  assert_int_equal(dest_open(&w->call, w->root, 0, &w->dest, NULL), HOIST_OK);
  *state = w;
  return 0;
}

static int tear_down(void **state) {
  struct world *w = *state;
  dest_close(w->dest, false);
  assert_int_equal(fs_remove_tree(AT_FDCWD, w->root, NULL), HOIST_OK);
  free(w);
  return 0;
}

static void add(struct world *w, const void *data, size_t size) {
  assert_true(size <= sizeof w->archive - w->size);
  memcpy(w->archive + w->size, data, size);
  w->size += size;
}

/* A header and its data. */
static void add_entry(struct world *w, char type, const char *name, const char *data) {
  unsigned char block[512] = {0}, padded[1024] = {0};
  unsigned sum = 0;
  size_t size = strlen(data);
  memcpy(block, name, strlen(name));
  snprintf((char *)block + 100, 8, "%07o", 0644);
  snprintf((char *)block + 124, 12, "%011o", (unsigned)size);
  memcpy(block + 148, "        ", 8);
  block[156] = (unsigned char)type;
  memcpy(block + 257, "ustar\00000", 8);
  for (size_t i = 0; i < sizeof block; i++)
    sum += block[i];
  snprintf((char *)block + 148, 8, "%06o", sum);
  add(w, block, sizeof block);
  memcpy(padded, data, size);
  add(w, padded, (size + 511) / 512 * 512);
}

static void end_tar(struct world *w) {
  static const unsigned char zeros[1024];
  add(w, zeros, sizeof zeros);
}

static enum hoist_status unpack(struct world *w, const char *name) {
  HOIST_AUTO(mem) char *path = text_format("%s/%s", w->root, name);
  HOIST_AUTO(fd) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  assert_int_equal(fs_write_all(fd, w->archive, w->size, name, NULL), HOIST_OK);
  return unpack_archive(&w->call, w->dest, name, &w->unpacked, &w->err);
}

static void assert_holds(const struct world *w, const char *name, const char *text) {
  HOIST_AUTO(buf) struct buf data = buf_make(10000);
  HOIST_AUTO(mem) char *path = text_format("%s/%s", w->root, name);
  assert_int_equal(fs_read_file(AT_FDCWD, path, &data, NULL), HOIST_OK);
  assert_string_equal(buf_str(&data), text);
}

static bool is_there(const struct world *w, const char *name) {
  struct stat st;
  HOIST_AUTO(mem) char *path = text_format("%s/%s", w->root, name);
  return stat(path, &st) == 0;
}

static void expect(struct world *w, const char *name, enum hoist_status status,
                   const char *message) {
  assert_int_equal(unpack(w, name), status);
  if (!strstr(w->err.message, message)) fail_msg("%s", w->err.message);
  assert_true(is_there(w, name)); /* what could not be unpacked stays */
}

/* ---- names ------------------------------------------------------------------------------------- */

static void test_archives_are_known_by_their_names(void **state) {
  (void)state;
  static const char *const yes[] = {"a.tar", "a.tar.gz", "a.TGZ", "a.zip", "x/a.tar.bz2"};
  static const char *const no[] = {"a", "a.gz", "tar", ".tar", ".zip", "a.tar.gz.bak", "a.onnx"};
  for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
    assert_true(unpack_is_archive(yes[i]));
  for (size_t i = 0; i < sizeof no / sizeof *no; i++)
    assert_false(unpack_is_archive(no[i]));
}

/* ---- tar --------------------------------------------------------------------------------------- */

static void test_files_take_the_place_of_their_archive(void **state) {
  struct world *w = *state;
  add_entry(w, '5', "./", "");
  add_entry(w, '5', "./dir/", "");
  add_entry(w, '5', "empty/", "");
  add_entry(w, '0', "./dir/a.txt", "hello");
  add_entry(w, '\0', "b", "");
  end_tar(w);
  assert_int_equal(unpack(w, "m.tar"), HOIST_OK);
  assert_int_equal(w->unpacked.files, 2);
  assert_int_equal(w->unpacked.bytes, 5);
  assert_holds(w, "dir/a.txt", "hello");
  assert_holds(w, "b", "");
  assert_true(is_there(w, "empty"));
  assert_false(is_there(w, "m.tar"));
}

static void test_long_names_come_from_extended_headers(void **state) {
  struct world *w = *state;
  add_entry(w, 'g', "pax_global_header", "20 comment=whatever\n");
  add_entry(w, 'x', "PaxHeaders/x", "17 path=long/one\n11 mtime=1\n");
  add_entry(w, '0', "cut", "1");
  add_entry(w, 'L', "././@LongLink", "long/two");
  add_entry(w, '0', "cut", "2");
  add_entry(w, '0', "short", "3");
  end_tar(w);
  assert_int_equal(unpack(w, "m.tar"), HOIST_OK);
  assert_holds(w, "long/one", "1");
  assert_holds(w, "long/two", "2");
  assert_holds(w, "short", "3");
}

static void test_gzip_is_known_by_its_beginning(void **state) {
  struct world *w = *state;
  unsigned char packed[4096];
  z_stream z = {0};
  add_entry(w, '0', "a.txt", "hello");
  end_tar(w);
  assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 9, Z_DEFAULT_STRATEGY), Z_OK);
  z.next_in = w->archive;
  z.avail_in = (unsigned)w->size;
  z.next_out = packed;
  z.avail_out = sizeof packed;
  assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
  w->size = 0;
  add(w, packed, z.total_out);
  assert_int_equal(deflateEnd(&z), Z_OK);
  assert_int_equal(unpack(w, "m.tar"), HOIST_OK); /* although it is not called so */
  assert_holds(w, "a.txt", "hello");
  w->size--;
  expect(w, "m.tgz", HOIST_CORRUPT, "m.tgz: not a whole archive: it is cut short");
  w->size++;
  w->archive[w->size - 6] ^= 1; /* of gzip's CRC */
  expect(w, "m.tgz", HOIST_CORRUPT, "the gzip data are damaged");
}

static void test_what_cannot_be_is_refused(void **state) {
  static const struct {
    char type;
    const char *name, *data;
    enum hoist_status status;
    const char *message;
  } cases[] = {
      {'0', "../x", "1", HOIST_CORRUPT, "file name \"../x\" has a segment \"..\""},
      {'0', "/etc/x", "1", HOIST_CORRUPT, "begins with a slash"},
      {'0', "a/../../x", "1", HOIST_CORRUPT, "has a segment \"..\""},
      {'5', "../d", "", HOIST_CORRUPT, "has a segment \"..\""},
      {'0', ".hoist-copy/lock", "1", HOIST_CORRUPT, "reserved"},
      {'2', "link", "", HOIST_UNSUPPORTED, "\"link\" in it is a link or a device"},
      {'1', "hard", "", HOIST_UNSUPPORTED, "\"hard\" in it is a link or a device"},
      {'3', "null", "", HOIST_UNSUPPORTED, "\"null\" in it is a link or a device"},
      {'x', "p", "9 path\n", HOIST_CORRUPT, "a pax header is damaged"},
      {'x', "p", "999 path=x\n", HOIST_CORRUPT, "a pax header is damaged"},
      {'x', "p", "11 size=-1\n", HOIST_CORRUPT, "no right size"},
      {'x', "p", "22 GNU.sparse.major=1\n", HOIST_UNSUPPORTED, "sparse"},
  };
  struct world *w = *state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    w->size = 0;
    add_entry(w, cases[i].type, cases[i].name, cases[i].data);
    end_tar(w);
    expect(w, "m.tar", cases[i].status, cases[i].message);
  }
  assert_int_equal(w->unpacked.files, 0);
}

static void test_damaged_tars_are_corrupt(void **state) {
  struct world *w = *state;
  expect(w, "m.tar", HOIST_CORRUPT, "nothing is in it");
  add_entry(w, '0', "a.txt", "hello");
  w->size -= 100;
  expect(w, "m.tar", HOIST_CORRUPT, "it is cut short");
  w->size = 300;
  expect(w, "m.tar", HOIST_CORRUPT, "it is cut short");
  w->size = 0;
  add_entry(w, '0', "a.txt", "hello");
  w->archive[1] ^= 1;
  expect(w, "m.tar", HOIST_CORRUPT, "a tar header is damaged");
  w->size = 0;
  add(w, "BZh91AY", 7);
  expect(w, "m.tar.bz2", HOIST_UNSUPPORTED,
         "compressed with bzip2, which hoist does not unpack: use gzip");
}

/* ---- zip --------------------------------------------------------------------------------------- */

static void put_little(unsigned char *p, int bytes, uint64_t value) {
  for (int i = 0; i < bytes; i++, value >>= 8)
    p[i] = (unsigned char)value;
}

struct zipped {
  const char *name, *data;
  unsigned flags, method, mode, crc_off, size_off, at_off;
};

/* One stored entry, its directory and its end. */
static void make_zip(struct world *w, const struct zipped *z) {
  unsigned char local[30] = "PK\3\4", central[46] = "PK\1\2", end[22] = "PK\5\6";
  size_t name = strlen(z->name), size = strlen(z->data);
  unsigned long crc = crc32(0, (const unsigned char *)z->data, (unsigned)size);
  w->size = 0;
  put_little(local + 26, 2, name);
  add(w, local, sizeof local);
  add(w, z->name, name);
  add(w, z->data, size);
  central[5] = 3; /* made on Unix */
  put_little(central + 8, 2, z->flags);
  put_little(central + 10, 2, z->method);
  put_little(central + 16, 4, crc + z->crc_off);
  put_little(central + 20, 4, size);
  put_little(central + 24, 4, size + z->size_off);
  put_little(central + 28, 2, name);
  put_little(central + 40, 2, z->mode ? z->mode : 0100644);
  put_little(central + 42, 4, z->at_off);
  put_little(end + 10, 2, 1);
  put_little(end + 12, 4, sizeof central + name);
  put_little(end + 16, 4, w->size);
  add(w, central, sizeof central);
  add(w, z->name, name);
  add(w, end, sizeof end);
}

static void test_a_zip_is_unpacked(void **state) {
  struct world *w = *state;
  make_zip(w, &(struct zipped){.name = "dir/a.txt", .data = "hello"});
  assert_int_equal(unpack(w, "m.zip"), HOIST_OK);
  assert_int_equal(w->unpacked.files, 1);
  assert_holds(w, "dir/a.txt", "hello");
  assert_false(is_there(w, "m.zip"));
  make_zip(w, &(struct zipped){.name = "empty/", .data = ""});
  assert_int_equal(unpack(w, "m.zip"), HOIST_OK);
  assert_true(is_there(w, "empty"));
}

static void test_bad_zips_are_refused(void **state) {
  static const struct {
    struct zipped zip;
    enum hoist_status status;
    const char *message;
  } cases[] = {
      {{.name = "../x", .data = "1"}, HOIST_CORRUPT, "has a segment \"..\""},
      {{.name = "a\\b", .data = "1"}, HOIST_CORRUPT, "backslash"},
      {{.name = "", .data = "1"}, HOIST_CORRUPT, "is empty"},
      {{.name = "a", .data = "1", .flags = 1}, HOIST_UNSUPPORTED, "is encrypted"},
      {{.name = "a", .data = "1", .method = 12}, HOIST_UNSUPPORTED, "use deflate"},
      {{.name = "a", .data = "1", .mode = 0120777}, HOIST_UNSUPPORTED, "is a link or a device"},
      {{.name = "a", .data = "1", .crc_off = 1}, HOIST_CORRUPT, "CRC-32 is not right"},
      {{.name = "a", .data = "1", .size_off = 1}, HOIST_CORRUPT, "shorter than it says"},
      {{.name = "a", .data = "1", .at_off = 9999}, HOIST_CORRUPT, "beyond its end"},
      {{.name = "a", .data = "1", .at_off = 1}, HOIST_CORRUPT, "not where it should be"},
      {{.name = "a", .data = "\xff\xff", .method = 8}, HOIST_CORRUPT, "deflated data are damaged"},
  };
  struct world *w = *state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    make_zip(w, &cases[i].zip);
    expect(w, "m.zip", cases[i].status, cases[i].message);
  }
  w->size = 21;
  expect(w, "m.zip", HOIST_CORRUPT, "no end record");
  w->size = 0;
  expect(w, "m.zip", HOIST_CORRUPT, "no end record");
}

static void test_a_cancelled_call_stops(void **state) {
  struct world *w = *state;
  atomic_int cancel = 1;
  add_entry(w, '0', "a.txt", "hello");
  end_tar(w);
  w->call.cancel = &cancel;
  expect(w, "m.tar", HOIST_CANCELLED, "cancelled");
  assert_false(is_there(w, "a.txt"));
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_archives_are_known_by_their_names),
      WORLD_TEST(test_files_take_the_place_of_their_archive),
      WORLD_TEST(test_long_names_come_from_extended_headers),
      WORLD_TEST(test_gzip_is_known_by_its_beginning),
      WORLD_TEST(test_what_cannot_be_is_refused),
      WORLD_TEST(test_damaged_tars_are_corrupt),
      WORLD_TEST(test_a_zip_is_unpacked),
      WORLD_TEST(test_bad_zips_are_refused),
      WORLD_TEST(test_a_cancelled_call_stops),
  };
  return cmocka_run_group_tests_name("unpack", tests, NULL, NULL);
}
