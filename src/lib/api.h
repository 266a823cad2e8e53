/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The public header, with its functions visible outside a shared library that is otherwise compiled with
 * -fvisibility=hidden. Sources of the library include this one instead of crossvm/crossvm.h.
 */
#pragma once

#pragma GCC visibility push(default)
#include <crossvm/crossvm.h>
#pragma GCC visibility pop
