/* SPDX-License-Identifier: Apache-2.0 */
/* A connection that has become slow, or silent, holds up the part it is at, and in the end the whole file.
 * So a worker that comes looking for work first looks for a part that takes several times as long as parts
 * usually do, and asks for that one, too, over a connection of its own; what that request was to bring
 * beyond it is anybody's again. Whoever is first wins: each block is written once (file_claim).
 *
 * A small file is hashed by the one worker that fetches it, so it cannot have two. Files are of different sizes,
 * so one may take its time; one that has fallen silent begins again, once. */
#include "clock.h"
#include "fetch_internal.h"

#define SLOW_TIMES 3
#define SLOW_PART_NS (250 * NS_PER_MS) /* beyond that: noise of short parts is no slowness */
#define SILENT_FILE_NS                                                                             \
  (2 * NS_PER_S) /* not less than an answer may take, for it begins again then */

static bool is_at_part(const struct slot *slot) {
  return slot->file && slot->file->phase == FILE_OPEN && slot->file->part_count > 1 &&
         slot->run.part < slot->run.end;
}

/* One that is made again after a failure is being seen to already, and its server may have asked for
 * patience. */
static bool is_slow(const struct slot *slot, uint64_t since_ns, const struct tempo *tempo,
                    uint64_t allowance_ns, uint64_t now_ns) {
  return tempo->count > 0 && !atomic_load(&slot->paused) &&
         now_ns - since_ns >= SLOW_TIMES * (tempo->took_ns / tempo->count) + allowance_ns;
}

static void note_tempo(struct tempo *tempo, const struct slot *slot, uint64_t now_ns) {
  tempo->count++;
  tempo->took_ns += now_ns - slot->since_ns;
}

static struct slot *find_slowest(struct fetch *f, uint64_t now_ns) {
  struct slot *slowest = NULL;
  for (unsigned i = 0; i < f->slot_count; i++) {
    struct slot *slot = &f->slots[i];
    if (!is_at_part(slot) || slot->file->restart || slot->file->parts[slot->run.part].hedged)
      continue;
    if (!is_slow(slot, slot->since_ns, &f->parts, SLOW_PART_NS, now_ns)) continue;
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
  note_tempo(&f->parts, slot, now_ns);
  for (unsigned i = 0; i < f->slot_count; i++)
    if (is_twin(&f->slots[i], slot)) atomic_store(&f->slots[i].stop, 1);
}

void hedge_small_file(struct fetch *f, uint64_t now_ns) {
  for (unsigned i = 0; i < f->slot_count; i++) {
    struct slot *slot = &f->slots[i];
    struct file *file = slot->file;
    if (!file || file->hedged || file->restart || !file_is_small(file)) continue;
    if (file->part_count > 1 || file->requests != 1) continue;
    if (!is_slow(slot, slot->heard_ns, &f->small_files, SILENT_FILE_NS, now_ns)) continue;
    file->hedged = file->restart = true;
    atomic_store(&slot->stop, 1);
  }
}

void hedge_small_file_done(struct fetch *f, const struct slot *slot, uint64_t now_ns) {
  note_tempo(&f->small_files, slot, now_ns);
}
