/* SPDX-License-Identifier: BSD-2-Clause */
/* The external definitions of the inline functions, for callers that cannot inline them. */
#define CROSSVM_CHANNEL_INLINE extern inline

#include <crossvm/channel.h>
