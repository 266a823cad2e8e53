/* SPDX-License-Identifier: BSD-2-Clause */
/* A figure as a benchmark prints it, for record.py: a line for each repetition. bench/guest/host-run does it in shell.
 */
#ifndef FIGURE_H
#define FIGURE_H

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

struct figure {
    const char *group; /**< what was measured together, on the same machine */
    const char *name;  /**< what it is the cost or the rate of */
    const char *of;    /**< whose: a channel, or a rival */
    const char *axis;  /**< what `at` counts, such as "connections"; NULL: the figure has no such number */
    double at;
    const char *unit;
    const char *by; /**< what measured it: clock, callgrind, icount or counter */
};

static inline void figure_print(const struct figure *figure, double value)
{
    printf("figure\t%s\t%s\t%s\t%s\t%.6g\t%s\t%s\t%.6g\n", figure->group, figure->name, figure->of,
           figure->axis ? figure->axis : "", figure->at, figure->unit, figure->by, value);
}

#ifdef __cplusplus
}
#endif
#endif
