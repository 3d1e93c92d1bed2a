/* SPDX-License-Identifier: Apache-2.0 */
/* A connection that has become slow, or silent, holds up the part it is at, and in the end the whole file.
 * So a worker that comes looking for work first looks for a part that takes several times as long as parts
 * usually do, and asks for that one, too, over a connection of its own; what that request was to bring
 * beyond it is anybody's again. Whoever is first wins: each block is written once (file_claim). */
#include "clock.h"
#include "fetch_internal.h"

#define SLOW_TIMES 3
#define SLOW_AT_LEAST_NS (250 * NS_PER_MS) /* beyond that: noise of short parts is no slowness */

static bool is_at_part(const struct slot *slot) {
  return slot->file && slot->file->phase == FILE_OPEN && slot->file->part_count > 1 &&
         slot->run.part < slot->run.end;
}

static uint64_t is_slow_after_ns(const struct fetch *f) {
  return SLOW_TIMES * (f->parts_took_ns / f->parts_timed) + SLOW_AT_LEAST_NS;
}

static struct slot *find_slowest(struct fetch *f, uint64_t now_ns) {
  struct slot *slowest = NULL;
  if (f->parts_timed == 0) return NULL;
  for (unsigned i = 0; i < f->slot_count; i++) {
    struct slot *slot = &f->slots[i];
    if (!is_at_part(slot) || slot->file->restart || slot->file->parts[slot->run.part].hedged)
      continue;
    if (now_ns - slot->since_ns < is_slow_after_ns(f)) continue;
    if (!slowest || slot->since_ns < slowest->since_ns) slowest = slot;
  }
  return slowest;
}

bool hedge_find(struct fetch *f, struct slot *slot, uint64_t now_ns) {
  if (f->large_requests >= f->connections) return false;
  struct slot *slow = find_slowest(f, now_ns);
  if (!slow) return false;
  struct file *file = slow->file;
  size_t part = slow->run.part;
  file_give_back(file, part + 1, slow->run.end);
  slow->run.end = part + 1;
  file->parts[part].hedged = true;
  file->requests++;
  slot->file = file;
  slot->run = (struct run){.part = part, .end = part + 1};
  return true;
}

static bool is_twin(const struct slot *a, const struct slot *b) {
  return a != b && is_at_part(a) && a->file == b->file && a->run.part == b->run.part;
}

bool hedge_has_twin(const struct fetch *f, const struct slot *slot) {
  for (unsigned i = 0; i < f->slot_count; i++)
    if (is_twin(&f->slots[i], slot)) return true;
  return false;
}

void hedge_part_done(struct fetch *f, const struct slot *slot, uint64_t now_ns) {
  f->parts_timed++;
  f->parts_took_ns += now_ns - slot->since_ns;
  for (unsigned i = 0; i < f->slot_count; i++)
    if (is_twin(&f->slots[i], slot)) atomic_store(&f->slots[i].stop, 1);
}
