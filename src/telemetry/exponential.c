/* SPDX-License-Identifier: Apache-2.0 */
/* Exponential buckets. Every index is computed at the finest scale and shifted down to the current one,
 * so that buckets of different scales nest exactly. Pure; one writer at a time per histogram, whose words
 * a reader may copy meanwhile. */
#include "exponential.h"

#include <math.h>
#include <stdbool.h>

#include "shared_word.h"

static int64_t finest_index(double magnitude) {
  int exponent;
  double fraction = frexp(magnitude, &exponent); /* [0.5, 1), also of subnormal numbers */
  int64_t octave = (int64_t)(exponent - 1) * (1 << EXPONENTIAL_SCALE_MAX);
  if (fraction == 0.5) return octave - 1; /* a power of two closes the bucket below */
  double steps = log2(2 * fraction) * (1 << EXPONENTIAL_SCALE_MAX);
  return octave + (int64_t)ceil(steps) - 1;
}

int64_t exponential_index(double magnitude, int64_t scale) {
  return finest_index(magnitude) >> (EXPONENTIAL_SCALE_MAX - scale);
}

void exponential_clear(struct exponential *h) {
  h->scale = EXPONENTIAL_SCALE_MAX;
  h->zero_count = 0;
  h->positive.first = h->negative.first = 0;
  h->positive.used = h->negative.used = 0;
}

static int64_t last_of(const struct exponential_side *side) {
  return side->first + (int64_t)side->used - 1;
}

static void downscale_side(struct exponential_side *side, unsigned shift) {
  if (side->used == 0) return;
  int64_t first = side->first >> shift;
  uint64_t used = (uint64_t)((last_of(side) >> shift) - first) + 1;
  uint64_t sum = 0;
  int64_t bucket = first;
  for (uint64_t i = 0; i < side->used; i++) { /* what is written was read before */
    int64_t next = (side->first + (int64_t)i) >> shift;
    if (next != bucket) {
      word_put(&side->counts[bucket - first], sum);
      sum = 0;
      bucket = next;
    }
    sum += side->counts[i];
  }
  word_put(&side->counts[bucket - first], sum);
  word_put_signed(&side->first, first);
  word_put(&side->used, used);
}

void exponential_downscale(struct exponential *h, unsigned shift) {
  if (shift == 0) return;
  downscale_side(&h->positive, shift);
  downscale_side(&h->negative, shift);
  word_put_signed(&h->scale, h->scale - (int64_t)shift);
}

/* Steps by which a side must get coarser to take buckets low to high in. */
static unsigned shift_for(const struct exponential_side *side, int64_t low, int64_t high) {
  unsigned shift = 0;
  if (side->used > 0 && side->first < low) low = side->first;
  if (side->used > 0 && last_of(side) > high) high = last_of(side);
  while ((high >> shift) - (low >> shift) >= EXPONENTIAL_BUCKETS_MAX)
    shift++;
  return shift;
}

static void grow_down(struct exponential_side *side, int64_t first) {
  uint64_t by = (uint64_t)(side->first - first);
  for (uint64_t i = side->used; i-- > 0;)
    word_put(&side->counts[i + by], side->counts[i]);
  for (uint64_t i = 0; i < by; i++)
    word_put(&side->counts[i], 0);
  word_put_signed(&side->first, first);
  word_put(&side->used, side->used + by);
}

static void grow_up(struct exponential_side *side, int64_t last) {
  uint64_t used = (uint64_t)(last - side->first) + 1;
  for (uint64_t i = side->used; i < used; i++)
    word_put(&side->counts[i], 0);
  word_put(&side->used, used);
}

/* There is room. */
static void count_in(struct exponential_side *side, int64_t index, uint64_t count) {
  if (side->used == 0) {
    word_put_signed(&side->first, index);
    grow_up(side, index);
  }
  if (index < side->first) grow_down(side, index);
  if (index > last_of(side)) grow_up(side, index);
  uint64_t *at = &side->counts[index - side->first];
  word_put(at, *at + count);
}

void exponential_record(struct exponential *h, double value) {
  if (value == 0) {
    word_put(&h->zero_count, h->zero_count + 1);
    return;
  }
  struct exponential_side *side = value > 0 ? &h->positive : &h->negative;
  int64_t index = exponential_index(fabs(value), h->scale);
  unsigned shift = shift_for(side, index, index);
  exponential_downscale(h, shift);
  count_in(side, index >> shift, 1);
}

/* ---- whole histograms ---------------------------------------------------------------------------- */

/* The buckets of a side that are not empty; a difference of two may have empty ones at its ends. */
struct range {
  uint64_t begin, end;
};

static struct range filled(const struct exponential_side *side) {
  struct range r = {0, side->used};
  while (r.begin < r.end && side->counts[r.begin] == 0)
    r.begin++;
  while (r.begin < r.end && side->counts[r.end - 1] == 0)
    r.end--;
  return r;
}

/* Steps by which `into` must get coarser before `from`, finer by `finer`, can be added to it. */
static unsigned shift_to_merge(const struct exponential_side *into,
                               const struct exponential_side *from, unsigned finer) {
  struct range r = filled(from);
  if (r.begin == r.end) return 0;
  return shift_for(into, (from->first + (int64_t)r.begin) >> finer,
                   (from->first + (int64_t)r.end - 1) >> finer);
}

static void merge_side(struct exponential_side *into, const struct exponential_side *from,
                       unsigned finer) {
  struct range r = filled(from);
  for (uint64_t i = r.begin; i < r.end; i++)
    if (from->counts[i] > 0) count_in(into, (from->first + (int64_t)i) >> finer, from->counts[i]);
}

void exponential_merge(struct exponential *into, const struct exponential *from) {
  if (into->scale > from->scale) exponential_downscale(into, (unsigned)(into->scale - from->scale));
  unsigned finer = (unsigned)(from->scale - into->scale);
  unsigned up = shift_to_merge(&into->positive, &from->positive, finer);
  unsigned down = shift_to_merge(&into->negative, &from->negative, finer);
  unsigned shift = up > down ? up : down;
  exponential_downscale(into, shift);
  merge_side(&into->positive, &from->positive, finer + shift);
  merge_side(&into->negative, &from->negative, finer + shift);
  into->zero_count += from->zero_count;
}

static void subtract_side(struct exponential_side *from, const struct exponential_side *earlier,
                          unsigned finer) {
  for (uint64_t i = 0; i < earlier->used; i++)
    from->counts[((earlier->first + (int64_t)i) >> finer) - from->first] -= earlier->counts[i];
}

void exponential_subtract(struct exponential *from, const struct exponential *earlier) {
  unsigned finer = (unsigned)(earlier->scale - from->scale);
  subtract_side(&from->positive, &earlier->positive, finer);
  subtract_side(&from->negative, &earlier->negative, finer);
  from->zero_count -= earlier->zero_count;
}
