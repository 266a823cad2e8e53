/* SPDX-License-Identifier: BSD-2-Clause */
/* What a shell may put in place of a NAME, a DOOR or a VMM of the tool's command lines. */
#pragma once

#include "../common/completion.h"

/** For completion_offer_value, for all placeholders but COMMAND. */
void candidates_offer(const struct completion *completion, const char *placeholder);
