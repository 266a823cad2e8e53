/* SPDX-License-Identifier: BSD-2-Clause */
#include "pci_interrupts.h"

#include <errno.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "../common/read_nowait.h"
#include "../common/shared_event.h"

/* As the module has it (src/vmm/connection.c): so many interrupts in a row are raised for a guest that shows no driver.
 */
#define MAX_UNANSWERED 100

/* --- raising --- */

void pci_interrupts_trigger(const struct pci_interrupts *interrupts, enum pci_irq irq)
{
    if (interrupts->eventfds[irq] >= 0)
        (void)shared_event_signal(interrupts->eventfds[irq], 1);
}

/* vfio's INTx masks itself when it is raised; unmasking is the guest's end of interrupt. */
static void raise_line(struct pci_interrupts *interrupts)
{
    if (!cvmm_config_space_intx_enabled(interrupts->config) || interrupts->unanswered >= MAX_UNANSWERED)
        return;
    if (interrupts->masked) {
        interrupts->again = true;
        return;
    }
    interrupts->masked = true;
    if (interrupts->page->driver == CROSSVM_DRIVER_NONE && *cvmm_event_page_count_word(interrupts->page))
        interrupts->unanswered++;
    pci_interrupts_trigger(interrupts, PCI_INTX);
}

void pci_interrupts_raise(struct pci_interrupts *interrupts)
{
    interrupts->config->pending = true;
    if (!pci_interrupts_use_msi(interrupts))
        raise_line(interrupts);
    else if (cvmm_config_space_is_master(interrupts->config))
        pci_interrupts_trigger(interrupts, PCI_MSI);
}

void pci_interrupts_show_pending(struct pci_interrupts *interrupts)
{
    if (interrupts->config->pending && !pci_interrupts_use_msi(interrupts))
        raise_line(interrupts);
}

void pci_interrupts_sign_of_life(struct pci_interrupts *interrupts)
{
    bool was_silenced = interrupts->unanswered >= MAX_UNANSWERED;

    interrupts->unanswered = 0;
    if (was_silenced)
        pci_interrupts_show_pending(interrupts);
}

/* --- what the VMM sets --- */

void pci_interrupts_set(struct pci_interrupts *interrupts, enum pci_irq irq, int eventfd)
{
    if (interrupts->eventfds[irq] >= 0)
        close(interrupts->eventfds[irq]);
    interrupts->eventfds[irq] = eventfd;
    if (irq != PCI_INTX)
        return;
    if (eventfd < 0) {
        (void)pci_interrupts_set_unmask(interrupts, -1);
        return;
    }
    interrupts->masked = interrupts->again = false;
    pci_interrupts_show_pending(interrupts);
}

void pci_interrupts_mask(struct pci_interrupts *interrupts, bool masked)
{
    /* A driver that acknowledges has seen the later events, too, when it did so after them. */
    bool seen = interrupts->page->driver == CROSSVM_DRIVER_NONE && !interrupts->config->pending;
    bool again = interrupts->again && !seen;

    interrupts->masked = masked;
    if (masked)
        return;
    interrupts->again = false;
    if (again)
        raise_line(interrupts);
}

/* Takes the count, for a VMM that gives the same eventfd again. */
static void unmask(struct hub_source *source, uint32_t events)
{
    struct pci_interrupts *interrupts =
        (struct pci_interrupts *)((char *)source - offsetof(struct pci_interrupts, unmask));
    uint64_t count;

    (void)events;
    (void)read_nowait(source->fd, &count, sizeof(count));
    pci_interrupts_mask(interrupts, false);
}

int pci_interrupts_set_unmask(struct pci_interrupts *interrupts, int eventfd)
{
    int error = 0;

    if (interrupts->unmask.fd >= 0) {
        hub_loop_unwatch(interrupts->loop, &interrupts->unmask);
        close(interrupts->unmask.fd);
    }
    interrupts->unmask.fd = eventfd;
    /* Only when it is signalled: one with many signals (EFD_SEMAPHORE) would poll readable for long. */
    if (eventfd >= 0 && hub_loop_watch(interrupts->loop, &interrupts->unmask, EPOLLIN | EPOLLET)) {
        error = errno;
        close(eventfd);
        interrupts->unmask.fd = -1;
    }
    return error;
}

/* --- life --- */

void pci_interrupts_init(struct pci_interrupts *interrupts, struct hub_loop *loop, struct config_space *config,
                         const struct event_page *page)
{
    *interrupts = (struct pci_interrupts){
        .loop = loop,
        .config = config,
        .page = page,
        .eventfds = {-1, -1},
        .unmask = {.fd = -1, .handle = unmask},
    };
}

void pci_interrupts_reset(struct pci_interrupts *interrupts)
{
    interrupts->unanswered = 0;
    interrupts->masked = interrupts->again = false;
}
