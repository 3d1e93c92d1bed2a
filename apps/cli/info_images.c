/* SPDX-License-Identifier: Apache-2.0 */
/* How images are prepared for a model, in words and in the order in which it is done. Main thread. */
#include "info_text.h"

static const char *contrast_words(const struct hoist_preprocessing *p) {
  switch (p->contrast) {
  case HOIST_CONTRAST_NONE:
    return NULL;
  case HOIST_CONTRAST_STRETCHING:
    return "their contrast stretched";
  case HOIST_CONTRAST_HISTOGRAM:
    return "their histogram equalised";
  case HOIST_CONTRAST_ADAPTIVE:
    return "their histogram equalised piece by piece";
  case HOIST_CONTRAST_OTHER:
    return p->contrast_type;
  }
  return p->contrast_type;
}

static const char *resize_words(const struct hoist_preprocessing *p) {
  switch (p->resize) {
  case HOIST_RESIZE_NONE:
    return NULL;
  case HOIST_RESIZE_STRETCH:
    return "stretched to";
  case HOIST_RESIZE_FIT_BLACK:
    return "fitted with black edges into";
  case HOIST_RESIZE_FIT_WHITE:
    return "fitted with white edges into";
  case HOIST_RESIZE_FIT_GREY:
    return "fitted with grey edges into";
  case HOIST_RESIZE_FIT_REFLECT:
    return "fitted with reflected edges into";
  case HOIST_RESIZE_FIT_WITHIN:
    return "fitted without edges into";
  case HOIST_RESIZE_FILL_CROP:
    return "filled, cropped at the centre, into";
  case HOIST_RESIZE_OTHER:
    return p->resize_format;
  }
  return p->resize_format;
}

/* Begins the next step; the texts may come from the model's files. */
static void step(struct cli *cli, int *count, const char *words) {
  if ((*count)++ > 0) fputs(", ", cli->out);
  cli_put(cli->out, words);
}

void info_put_images(struct cli *cli, const struct hoist_preprocessing *p) {
  const char *contrast = contrast_words(p), *resize = resize_words(p);
  int count = 0;
  if (p->auto_orient) step(cli, &count, "turned upright");
  if (p->static_crop) {
    step(cli, &count, "cropped to");
    fprintf(cli->out, " %g-%g %% by %g-%g %%", p->crop_min[0], p->crop_max[0], p->crop_min[1],
            p->crop_max[1]);
  }
  if (contrast) step(cli, &count, contrast);
  if (p->grayscale) step(cli, &count, "made grey");
  if (resize) {
    step(cli, &count, resize);
    fprintf(cli->out, " %u %s %u", p->width, cli->out_term.unicode ? "×" : "x", p->height);
  }
  if (count == 0) fputs("as they are", cli->out);
}
