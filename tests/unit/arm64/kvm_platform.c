/* SPDX-License-Identifier: BSD-2-Clause */
#include "../kvm_platform.h"

#include "../kvm_fixture.h"

#define ECAM 0x10000000ul
#define SERIAL 0x09000000ul

const int platform_console_irq = 33;
const int platform_spare_irqs = 192;

static uint32_t load(uintptr_t address, unsigned int size)
{
    uint64_t value = 0;

    kvm_test_fault(vcpu, address, size, true, 0, &value);
    return (uint32_t)value;
}

static uintptr_t config_address(unsigned int dev, unsigned int fun, unsigned int reg)
{
    return ECAM + (dev << 15 | fun << 12 | reg);
}

uint32_t config_load(unsigned int dev, unsigned int fun, unsigned int reg, unsigned int size)
{
    return load(config_address(dev, fun, reg), size);
}

void config_store(unsigned int dev, unsigned int fun, unsigned int reg, unsigned int size, uint32_t value)
{
    kvm_test_fault(vcpu, config_address(dev, fun, reg), size, false, value, NULL);
}

uint32_t serial_load(unsigned int reg, unsigned int size)
{
    return load(SERIAL + reg, size);
}

void serial_store(unsigned int reg, unsigned int size, uint32_t value)
{
    kvm_test_fault(vcpu, SERIAL + reg, size, false, value, NULL);
}
