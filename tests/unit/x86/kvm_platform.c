/* SPDX-License-Identifier: BSD-2-Clause */
#include "../kvm_platform.h"

#include "../kvm_fixture.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA 0xcfc
#define SERIAL 0x3f8

const int platform_console_irq = 4;
const int platform_spare_irqs = 12;

static void port_access(unsigned int port, unsigned int size, bool is_in, uint32_t *value)
{
    kvm_test_port(vcpu, (uint16_t)port, size, is_in, value);
}

static unsigned int config_select(unsigned int dev, unsigned int fun, unsigned int reg)
{
    uint32_t address = 1u << 31 | dev << 11 | fun << 8 | (reg & ~3u);

    port_access(CONFIG_ADDRESS, 4, false, &address);
    return CONFIG_DATA + (reg & 3);
}

uint32_t config_load(unsigned int dev, unsigned int fun, unsigned int reg, unsigned int size)
{
    uint32_t value;

    port_access(config_select(dev, fun, reg), size, true, &value);
    return value;
}

void config_store(unsigned int dev, unsigned int fun, unsigned int reg, unsigned int size, uint32_t value)
{
    port_access(config_select(dev, fun, reg), size, false, &value);
}

uint32_t serial_load(unsigned int reg, unsigned int size)
{
    uint32_t value;

    port_access(SERIAL + reg, size, true, &value);
    return value;
}

void serial_store(unsigned int reg, unsigned int size, uint32_t value)
{
    port_access(SERIAL + reg, size, false, &value);
}
