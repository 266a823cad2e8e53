/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The public headers, with their functions visible outside a shared library that is otherwise compiled with
 * -fvisibility=hidden. Sources of the library include this one instead of those.
 */
#pragma once

#pragma GCC visibility push(default)
#include <crossvm/crossvm.h>
#include <crossvm/end_channel.h>
#pragma GCC visibility pop
