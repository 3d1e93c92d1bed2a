/* SPDX-License-Identifier: Apache-2.0 */
/* The page that shows traces in a browser, in the two parts around its data: JSON objects, separated
 * by commas, in which no '<' may stand. It needs nothing but itself. */
#ifndef HOIST_VIEW_PAGE_H
#define HOIST_VIEW_PAGE_H

extern const char page_head[];
extern const char page_tail[];

#endif
