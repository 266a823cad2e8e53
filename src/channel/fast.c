/* SPDX-License-Identifier: BSD-2-Clause */
/* The calls that the header defines inline, for callers that cannot inline them: bindings to other languages. */
#define CROSSVM_CHANNEL_INLINE

#include <crossvm/channel.h>
