/* SPDX-License-Identifier: BSD-2-Clause */
#include "install.h"

#include <stdbool.h>

#include "check.h"
#include "connection.h"

#define MAX_IRQ 255 /* the width of the interrupt line register */

static bool number_is_among(const int *irqs, size_t n, int irq)
{
    for (size_t i = 0; i < n; i++) {
        if (irqs[i] == irq)
            return true;
    }
    return false;
}

/* The number of the k-th line that the VM has, used or not, counting round; 0: there is none. */
static int existing_irq(const struct guest *guest, size_t k)
{
    size_t n = 0;

    for (const struct irq_line *line = guest->lines; line; line = line->next)
        n += !line->refused;
    if (n == 0)
        return 0;
    k %= n;
    for (const struct irq_line *line = guest->lines;; line = line->next) {
        if (!line->refused && k-- == 0)
            return line->irq;
    }
}

/* A number that was allocated before and that nobody uses; 0: there is none. */
static int spare_irq(const struct guest *guest, const int *irqs, size_t n)
{
    for (const struct irq_line *line = guest->lines; line; line = line->next) {
        if (!line->refused && cvmm_irq_line_users(line) == 0 && !number_is_among(irqs, n, line->irq))
            return line->irq;
    }
    return 0;
}

int cvmm_install_choose_irqs(struct install *in)
{
    bool exhausted = false;
    size_t own = 0;

    for (size_t i = 0; i < in->n; i++) {
        int irq = spare_irq(in->guest, in->irqs, i);

        if (!irq && !exhausted) {
            irq = in->bus->alloc_irq();
            exhausted = irq < 0;
            if (!exhausted && (irq < 1 || irq > MAX_IRQ))
                return cvmm_install_error(
                    in->configs[i].name, "alloc_irq gave interrupt %d; the PCI interrupt line register carries 1 to %d",
                    irq, MAX_IRQ);
        }
        if (irq > 0 && !exhausted)
            own = i + 1;
        else if (irq <= 0 && own)
            irq = in->irqs[i % own];
        else if (irq <= 0)
            irq = existing_irq(in->guest, i);
        if (irq <= 0)
            return cvmm_install_error(in->configs[i].name,
                                      "alloc_irq gave no interrupt number, and there is none to share");
        in->irqs[i] = irq;
    }
    return 0;
}

void cvmm_install_keep_irqs(const struct install *in)
{
    for (size_t i = 0; i < in->n; i++) {
        if (in->irqs[i])
            (void)cvmm_irq_line_get(in->guest, in->irqs[i]);
    }
}
