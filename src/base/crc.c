/* SPDX-License-Identifier: Apache-2.0 */
/* Both checks are reflected, so one loop does for both: eight bytes at a time, each through a table of its
 * own. The tables are made at first use and constant from then on. */
#include "crc.h"

#include <endian.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>
#endif

#define CRC_32C_POLYNOMIAL UINT64_C(0x82f63b78)
#define CRC_64NVME_POLYNOMIAL UINT64_C(0x9a6c9329ac4bc9b5)
#define WORD sizeof(uint64_t)

/* [i][b]: what byte b comes to when i further bytes follow it. */
struct tables {
  uint64_t by_distance[WORD][256];
};

static struct tables crc_32c_tables, crc_64nvme_tables;
static pthread_once_t tables_made = PTHREAD_ONCE_INIT;

static void make(struct tables *t, uint64_t polynomial) {
  for (unsigned b = 0; b < 256; b++) {
    uint64_t crc = b;
    for (int bit = 0; bit < 8; bit++)
      crc = (crc >> 1) ^ (crc & 1 ? polynomial : 0);
    t->by_distance[0][b] = crc;
  }
  for (size_t i = 1; i < WORD; i++)
    for (unsigned b = 0; b < 256; b++) {
      uint64_t before = t->by_distance[i - 1][b];
      t->by_distance[i][b] = (before >> 8) ^ t->by_distance[0][before & 0xff];
    }
}

static void make_all(void) {
  make(&crc_32c_tables, CRC_32C_POLYNOMIAL);
  make(&crc_64nvme_tables, CRC_64NVME_POLYNOMIAL);
}

static uint64_t load_word(const unsigned char *p) {
  uint64_t word;
  memcpy(&word, p, sizeof word);
  return le64toh(word);
}

static uint64_t update(const struct tables *t, uint64_t crc, const void *data, size_t size) {
  const unsigned char *p = data;
  for (; size >= WORD; p += WORD, size -= WORD) {
    uint64_t word = load_word(p) ^ crc;
    crc = 0;
#pragma GCC unroll 8
    for (unsigned i = 0; i < WORD; i++)
      crc ^= t->by_distance[WORD - 1 - i][word >> 8 * i & 0xff];
  }
  for (; size > 0; p++, size--)
    crc = (crc >> 8) ^ t->by_distance[0][(crc ^ *p) & 0xff];
  return crc;
}

uint32_t crc_32c_by_tables(uint32_t crc, const void *data, size_t size) {
  pthread_once(&tables_made, make_all);
  return ~(uint32_t)update(&crc_32c_tables, (uint32_t)~crc, data, size);
}

uint64_t crc_64nvme(uint64_t crc, const void *data, size_t size) {
  pthread_once(&tables_made, make_all);
  return ~update(&crc_64nvme_tables, ~crc, data, size);
}

#if defined(__x86_64__)

static bool has_instruction(void) {
  return __builtin_cpu_supports("sse4.2");
}

__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t crc,
                                                                 const unsigned char *p,
                                                                 size_t size) {
  uint64_t wide = crc;
  for (; size >= WORD; p += WORD, size -= WORD)
    wide = _mm_crc32_u64(wide, load_word(p));
  crc = (uint32_t)wide;
  for (; size > 0; p++, size--)
    crc = _mm_crc32_u8(crc, *p);
  return crc;
}

#elif defined(__aarch64__)

#ifndef HWCAP_CRC32
#define HWCAP_CRC32 (1 << 7)
#endif

static bool has_instruction(void) {
  return getauxval(AT_HWCAP) & HWCAP_CRC32;
}

__attribute__((target("+crc"))) static uint32_t by_instruction(uint32_t crc, const unsigned char *p,
                                                               size_t size) {
  for (; size >= WORD; p += WORD, size -= WORD)
    crc = __crc32cd(crc, load_word(p));
  for (; size > 0; p++, size--)
    crc = __crc32cb(crc, *p);
  return crc;
}

#else

static bool has_instruction(void) {
  return false;
}

static uint32_t by_instruction(uint32_t crc, const unsigned char *p, size_t size) {
  return ~crc_32c_by_tables(~crc, p, size);
}

#endif

uint32_t crc_32c(uint32_t crc, const void *data, size_t size) {
  if (!has_instruction()) return crc_32c_by_tables(crc, data, size);
  return ~by_instruction(~crc, data, size);
}
