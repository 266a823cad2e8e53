/* SPDX-License-Identifier: BSD-2-Clause */
/* Signals that end a program that runs until it is told to end. */
#pragma once

#include <signal.h>
#include <stddef.h>

/** Gives SIGINT, SIGTERM and SIGHUP, except signals that were ignored at startup (nohup). */
static inline void end_signals(sigset_t *set)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};

    sigemptyset(set);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct sigaction action;

        if (sigaction(numbers[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
            sigaddset(set, numbers[i]);
    }
}
