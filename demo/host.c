/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's half of the demonstration: an ordinary program beside the VM.
 *
 *   demo-host reverse       sends each text of the guest back, reversed
 *   demo-host files FILE    keeps the file that the guest sends in FILE, gives it back, and bounces events
 *
 * It ends when the VM does.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "courier.h"

#define TEXT "text"
#define BULK "bulk"

static int reverse(void)
{
    struct courier courier;
    char text[256];
    long length;

    if (courier_open(&courier, TEXT, 0))
        return -1;
    while ((length = courier_receive(&courier, text, sizeof(text))) > 0) {
        for (long i = 0; i < length / 2; i++) {
            char swapped = text[i];

            text[i] = text[length - 1 - i];
            text[length - 1 - i] = swapped;
        }
        if (courier_send(&courier, text, (size_t)length))
            break;
    }
    courier_close(&courier);
    return 0;
}

/* Sends each event back until the guest has a message again, which says that it is done. */
static int bounce(struct courier *courier)
{
    crossvm_end_info_t before;
    crossvm_end_info_t after;
    double rounds = 0;
    char done[8];

    if (courier_send(courier, "go", 2) || crossvm_info(courier->end, &before))
        return -1;
    for (;;) {
        int events = crossvm_wait(courier->end, -1);

        if (events < 0)
            return -1;
        if (courier_has_message(courier))
            break;
        for (; events > 0; events--, rounds++) {
            if (crossvm_emit(courier->end))
                return -1;
        }
    }
    if (crossvm_info(courier->end, &after) || courier_receive(courier, done, sizeof(done)) < 0 || rounds == 0)
        return -1;
    (void)printf("  host:  exits of the guest for each round trip: %.2f, of these %.2f to the VM's process\n",
                 (double)(after.vm_exits - before.vm_exits) / rounds,
                 (double)(after.vm_user_exits - before.vm_user_exits) / rounds);
    (void)fflush(stdout);
    return 0;
}

static int files(const char *path)
{
    struct courier courier;
    char request[32];
    long length;
    int error = 0;

    if (courier_open(&courier, BULK, 0))
        return -1;
    while (!error && (length = courier_receive(&courier, request, sizeof(request) - 1)) > 0) {
        request[length] = '\0';
        if (strcmp(request, "send") == 0)
            error = courier_receive_file(&courier, path);
        else if (strcmp(request, "receive") == 0)
            error = courier_send_file(&courier, path);
        else if (strcmp(request, "ping") == 0)
            error = bounce(&courier);
        else
            error = -1;
    }
    courier_close(&courier);
    return error;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "reverse") == 0)
        return reverse() ? EXIT_FAILURE : EXIT_SUCCESS;
    if (argc == 3 && strcmp(argv[1], "files") == 0)
        return files(argv[2]) ? EXIT_FAILURE : EXIT_SUCCESS;
    (void)fprintf(stderr, "usage: demo-host reverse | files FILE\n");
    return EXIT_FAILURE;
}
