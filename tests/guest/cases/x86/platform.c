/* SPDX-License-Identifier: BSD-2-Clause */
#include "../platform.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/io.h>

#define EXIT_PORT 0xf4 /* of the VMM: ends the VM with a status */
#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA 0xcfc
#define CONFIG_ENABLE 0x80000000u

const bool unaligned_stores = true;

void platform_open(void)
{
    if (iopl(3))
        (void)printf("no I/O ports\n");
}

uint32_t pci_config_read(unsigned int bus, unsigned int dev, unsigned int fun, unsigned int offset)
{
    outl(CONFIG_ENABLE | bus << 16 | dev << 11 | fun << 8 | offset, CONFIG_ADDRESS);
    return inl(CONFIG_DATA);
}

/* The interrupt line register, which Linux leaves alone. */
unsigned int pci_intx(unsigned int dev, unsigned int fun)
{
    return pci_config_read(0, dev, fun, 0x3c) & 0xff;
}

void platform_exit(int status)
{
    outb((unsigned char)status, EXIT_PORT);
    exit(1);
}
