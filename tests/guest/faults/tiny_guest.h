/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tiny guest does. */
#pragma once

#define TINY_STATUS 7        /**< of its VM at the end */
#define TINY_SAYS "up\n"     /**< on its console */
#define TINY_ECHO 0x6f686365 /**< the name of a connection whose events it answers: "echo" as a register has it */
