/* SPDX-License-Identifier: BSD-2-Clause */
/* The worker of the agent: one end of a connection, and what is done with it. */
#pragma once

/** Opens the end, answers with its state, and carries out what comes over the socket until the other end closes it. */
__attribute__((noreturn)) void work(const char *connection, int socket);
