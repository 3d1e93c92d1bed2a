/* SPDX-License-Identifier: Apache-2.0 */
/* Allocation functions that count and fail when told to. The linker's --wrap puts them between the
 * objects of the program and the C library; shared libraries are not affected. Any thread. */
#include "fail_alloc.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(const char *text);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__wrap_strdup(const char *text);

static atomic_long fail_at, count_so_far;

void fail_alloc_at(long n) {
  fail_at = n;
  count_so_far = 0;
}

int fail_alloc_happened(void) {
  return fail_at > 0 && count_so_far >= fail_at;
}

static int must_fail(void) {
  long at = fail_at;
  if (at == 0 || atomic_fetch_add(&count_so_far, 1) + 1 != at) return 0;
  errno = ENOMEM;
  return 1;
}

void *__wrap_malloc(size_t size) {
  return must_fail() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
  return must_fail() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size) {
  return must_fail() ? NULL : __real_realloc(old, size);
}

void *__wrap_reallocarray(void *old, size_t count, size_t size) {
  return must_fail() ? NULL : __real_reallocarray(old, count, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size) {
  return must_fail() ? NULL : __real_aligned_alloc(alignment, size);
}

char *__wrap_strdup(const char *text) {
  return must_fail() ? NULL : __real_strdup(text);
}
