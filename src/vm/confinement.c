/* SPDX-License-Identifier: BSD-2-Clause */
#include "confinement.h"

#include <fcntl.h>
#include <unistd.h>

#include <linux/kvm.h>

#include <sel4vm_kvm.h>

#include "../common/message.h"
#include "../sandbox/filter.h"
#include "../sandbox/libc_calls.h"
#include "../sandbox/limits.h"
#include "../sandbox/lock_down.h"
#include "../wire/wire.h"

#define SPARE_DESCRIPTORS 8
#define SPARE_MEMORY ((uint64_t)64 << 20)
#define OTHER_THREADS 3 /* than those of vCPUs: the loop, the console, the ends of interrupts */

#define KVM_CALL(request) FILTER_CALL_WITH(ioctl, 1, request)

/* --- what threads do --- */

/*
 * What devices do when the guest, their hub or the peer wants something. Stores of a guest reach them in the thread of
 * a vCPU, the rest in that of the loop.
 */
static const struct filter_rule device[] = {
    KVM_CALL(KVM_SIGNAL_MSI),  /* an MSI that this process sends */
    KVM_CALL(KVM_IRQ_LINE),    /* the console's interrupt */
    FILTER_CALL(io_submit),    /* the peer's doorbell */
    FILTER_CALL(io_getevents), /* the same */
    FILTER_CALL(preadv2),      /* the guest's doorbell */
    FILTER_CALL(sendto),       /* to the hub: the guest's driver came or left */
    FILTER_CALL(pread64),      /* ... with KVM's counters */
    FILTER_CALL(epoll_ctl),    /* whether this process takes the peer's events, here and below */
    KVM_CALL(KVM_IRQFD),       KVM_CALL(KVM_SET_GSI_ROUTING), FILTER_CALL_WITH(fcntl, 1, F_DUPFD_CLOEXEC),
    FILTER_CALL(close),
};

static const struct filter_rule vcpu[] = {
    KVM_CALL(KVM_RUN),
#ifdef __x86_64__
    KVM_CALL(KVM_GET_REGS), /* where it was when it crashed */
#else
    KVM_CALL(KVM_GET_ONE_REG),     /* the same */
    KVM_CALL(KVM_SET_VCPU_EVENTS), /* an access that cannot be emulated */
#endif
};

static const struct filter_rule loop[] = {
    FILTER_CALL(epoll_wait), FILTER_CALL(epoll_pwait), /* the same, on arm64 */
    FILTER_CALL(recvfrom),                             /* from the hub */
    FILTER_CALL(read),                                 /* a signal that ends the VM */
};

static const struct filter_rule console[] = {
    FILTER_CALL(ppoll), /* arm64's poll() */
    FILTER_CALL(poll),
    FILTER_CALL(read),
    KVM_CALL(KVM_IRQ_LINE),
};

static const struct filter_rule interrupt_ends[] = {
    FILTER_CALL(epoll_wait),
    FILTER_CALL(epoll_pwait),
    FILTER_CALL(read),
};

/* The VM's end, and its devices' with it. */
static const struct filter_rule run[] = {
    KVM_CALL(KVM_IOEVENTFD),
    KVM_CALL(KVM_SET_USER_MEMORY_REGION),
    FILTER_CALL(newfstatat), /* fflush() of standard output */
    FILTER_CALL(fstat),
};

/* --- filters --- */

/* Kinds of threads: those of kvm_thread_kind_t, and the loop's. */
enum { LOOP = KVM_THREAD_INTERRUPT_ENDS + 1, NUM_KINDS };

static struct filter filters[NUM_KINDS];
static bool confined;

static int make_filters(void)
{
    const struct filter_list device_list = FILTER_LIST(device), none = {0};
    const struct {
        const char *thread;
        struct filter_list own;
        struct filter_list devices;
    } kinds[NUM_KINDS] = {
        [KVM_THREAD_RUN] = {"main", FILTER_LIST(run), device_list},
        [KVM_THREAD_VCPU] = {"vcpu", FILTER_LIST(vcpu), device_list},
        [KVM_THREAD_CONSOLE] = {"console", FILTER_LIST(console), none},
        [KVM_THREAD_INTERRUPT_ENDS] = {"interrupt-ends", FILTER_LIST(interrupt_ends), none},
        [LOOP] = {"loop", FILTER_LIST(loop), device_list},
    };

    for (size_t i = 0; i < NUM_KINDS; i++) {
        const struct filter_list lists[] = {kinds[i].own, libc_calls(), kinds[i].devices};

        if (filter_make(&filters[i], kinds[i].thread, lists, sizeof(lists) / sizeof(lists[0])))
            return -1;
    }
    return 0;
}

/* A thread that cannot be confined must not serve a guest. This process leaves nothing behind that would need care. */
static void enter_or_end(const struct filter *filter)
{
    if (filter_enter(filter))
        _exit(CROSSVM_EXIT_NOT_STARTED);
}

static void enter(kvm_thread_kind_t kind)
{
    enter_or_end(&filters[kind]);
}

void confinement_enter_loop(void)
{
    if (confined)
        enter_or_end(&filters[LOOP]);
}

/* --- the process --- */

int confinement_choose(struct confinement *confinement, const struct options *options)
{
    confinement->wanted = !options->no_sandbox && lock_down_is_possible();
    if (options->user && (geteuid() != 0 || options->no_sandbox)) {
        message("--user: %s; leave it out",
                options->no_sandbox ? "with --no-sandbox the user stays" : "only root can become another user");
        return -1;
    }
    return own_user_choose(&confinement->user, options->user) ? 0 : -1;
}

int confinement_begin(const struct confinement *confinement, const struct options *options)
{
    const struct limits limits = {
        .more_descriptors = SPARE_DESCRIPTORS + options->num_joins, /* one that signals MSIs for each connection */
        .more_memory = SPARE_MEMORY,
        .more_threads = OTHER_THREADS + options->vcpus,
        .file_bytes = 0,
    };
    const struct lock_down lock = {.isolated = true, .user = confinement->user};

    if (!confinement->wanted)
        return 0;
    /* Filters are made in files, which the limits forbid. */
    if (make_filters() || limits_set(&limits) || lock_down(&lock))
        return -1;
    kvm_threads_on_start(enter);
    confined = true;
    return 0;
}
