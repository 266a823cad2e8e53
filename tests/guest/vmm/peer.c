/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Peers: threads that answer the guest's events, asynchronously to the guest.
 */
#include "test_vm.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define STOP ((uint64_t)1 << 32)

static void emit(struct end *end)
{
    kvm_vmm_lock();
    crossvm_consume_event(end->connection);
    kvm_vmm_unlock();
}

/* From nothing to a few times what a guest needs to handle an interrupt. */
static void random_while(unsigned int *seed)
{
    for (volatile unsigned int i = (unsigned int)rand_r(seed) % 4096; i > 0; i--)
        ;
}

static void *answer(void *argument)
{
    struct end *end = argument;
    unsigned int seed = 1;
    uint64_t events;

    while (read(end->doorbell, &events, sizeof(events)) == sizeof(events) && events < STOP) {
        for (; events > 0; events--) {
            enum control_peer mode = __atomic_load_n(&end->mode, __ATOMIC_RELAXED);

            if (mode == CONTROL_PEER_NONE)
                continue;
            emit(end);
            if (mode == CONTROL_PEER_BURST) {
                random_while(&seed);
                emit(end);
            }
        }
    }
    return NULL;
}

int peer_set(struct end *end, enum control_peer mode)
{
    __atomic_store_n(&end->mode, mode, __ATOMIC_RELAXED);
    if (end->doorbell >= 0)
        return 0;
    end->doorbell = eventfd(0, EFD_CLOEXEC);
    if (end->doorbell < 0)
        return -1;
    if (pthread_create(&end->thread, NULL, answer, end)) {
        close(end->doorbell);
        end->doorbell = -1;
        return -1;
    }
    return 0;
}

static void wake(struct end *end, uint64_t events)
{
    if (end->doorbell >= 0 && write(end->doorbell, &events, sizeof(events)) != sizeof(events))
        abort();
}

void peer_wake(struct end *end)
{
    wake(end, 1);
}

void peer_stop(struct end *end)
{
    if (end->doorbell < 0)
        return;
    wake(end, STOP);
    pthread_join(end->thread, NULL);
    close(end->doorbell);
    end->doorbell = -1;
}

struct flood {
    struct end *end;
    uint64_t events;
};

static void *flood(void *argument)
{
    struct flood *flood = argument;

    for (uint64_t i = 0; i < flood->events; i++)
        emit(flood->end);
    kvm_vmm_lock();
    flood->end->vm->floods--;
    kvm_vmm_unlock();
    free(flood);
    return NULL;
}

int peer_flood(struct end *end, uint64_t events)
{
    struct flood *task = malloc(sizeof(*task));
    pthread_t thread;

    if (!task)
        return -1;
    *task = (struct flood){.end = end, .events = events};
    end->vm->floods++;
    if (pthread_create(&thread, NULL, flood, task)) {
        end->vm->floods--;
        free(task);
        return -1;
    }
    pthread_detach(thread);
    return 0;
}
