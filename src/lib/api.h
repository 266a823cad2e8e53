/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The public headers. Their functions are visible outside of the shared library, which is compiled with
 * -fvisibility=hidden. Sources of the library include this file instead of those headers.
 */
#pragma once

#pragma GCC visibility push(default)
#include <crossvm/crossvm.h>
#include <crossvm/end_channel.h>
#pragma GCC visibility pop
