/* SPDX-License-Identifier: BSD-2-Clause */
#include "config_space.h"

#include <string.h>

#include <crossvm/device.h>

enum {
    REG_VENDOR = 0x00,
    REG_DEVICE = 0x02,
    REG_COMMAND = 0x04,
    REG_STATUS = 0x06,
    REG_REVISION = 0x08,
    REG_CLASS = 0x09,
    REG_CACHE_LINE = 0x0c,
    REG_LATENCY = 0x0d,
    REG_HEADER_TYPE = 0x0e,
    REG_BAR0 = 0x10,
    REG_BARS_END = REG_BAR0 + 4 * CONFIG_SPACE_BARS,
    REG_SUBSYSTEM_VENDOR = 0x2c,
    REG_SUBSYSTEM = 0x2e,
    REG_CAPABILITIES = 0x34,
    REG_IRQ_LINE = 0x3c,
    REG_IRQ_PIN = 0x3d,
    /* MSI capability, 64-bit form without masking */
    REG_MSI = 0x40,
    REG_MSI_CONTROL = REG_MSI + 2,
    REG_MSI_ADDRESS = REG_MSI + 4,
    REG_MSI_ADDRESS_HIGH = REG_MSI + 8,
    REG_MSI_DATA = REG_MSI + 12,
    REG_MSI_END = REG_MSI + 14,
    /* Enhanced Allocation capability: a word, then an entry of three for each BAR */
    REG_EA = 0x50,
    REG_EA_COUNT = REG_EA + 2,
    REG_EA_ENTRIES = REG_EA + 4,
    EA_ENTRY_BYTES = 12,
};

#define COMMAND_MEMORY 0x0002
#define COMMAND_MASTER 0x0004
#define COMMAND_INTX_DISABLE 0x0400
#define COMMAND_WRITABLE (COMMAND_MEMORY | COMMAND_MASTER | COMMAND_INTX_DISABLE)
#define STATUS_INTERRUPT 0x0008
#define STATUS_CAPABILITIES 0x0010
#define HEADER_MULTIFUNCTION 0x80
#define BAR_PREFETCHABLE 0x8
#define BAR_64BIT 0x4
#define CAPABILITY_MSI 0x05
#define CAPABILITY_EA 0x14
#define EA_ENTRY_WORDS 2           /* that follow the first */
#define EA_ENTRY_BAR(i) ((i) << 4) /* the entry is for BAR i; primary properties 0: memory */
#define EA_ENTRY_NO_SECONDARY 0xff0000u
#define EA_ENTRY_ENABLED 0x80000000u
#define MSI_ENABLE 0x0001
#define MSI_64BIT 0x0080

static void put16(struct config_space *config, size_t offset, uint16_t value)
{
    config->bytes[offset] = value & 0xff;
    config->bytes[offset + 1] = value >> 8;
}

static uint16_t get16(const struct config_space *config, size_t offset)
{
    return (uint16_t)(config->bytes[offset] | config->bytes[offset + 1] << 8);
}

static void put32(struct config_space *config, size_t offset, uint32_t value)
{
    put16(config, offset, value & 0xffff);
    put16(config, offset + 2, value >> 16);
}

static uint32_t get32(const struct config_space *config, size_t offset)
{
    return get16(config, offset) | (uint32_t)get16(config, offset + 2) << 16;
}

/* The bits of a byte that the guest can change. Not for BARs. */
static uint8_t writable_bits(const struct config_space *config, size_t offset)
{
    switch (offset) {
    case REG_COMMAND:
        return COMMAND_WRITABLE & 0xff;
    case REG_COMMAND + 1:
        return COMMAND_WRITABLE >> 8;
    case REG_CACHE_LINE:
    case REG_LATENCY:
    case REG_IRQ_LINE:
        return 0xff;
    default:
        break;
    }
    if (config->has_msi && offset >= REG_MSI_CONTROL && offset < REG_MSI_END) {
        if (offset == REG_MSI_CONTROL)
            return MSI_ENABLE;
        if (offset == REG_MSI_CONTROL + 1)
            return 0;
        if (offset == REG_MSI_ADDRESS)
            return 0xfc; /* messages are whole words */
        return 0xff;
    }
    return 0;
}

/*
 * A BAR reads as its address, or as its size mask after the guest wrote ones to all its address bits. It takes no other
 * address from the guest where the memory behind it cannot move.
 */
static void update_bar(struct config_space *config, size_t i)
{
    const struct config_space_bar *bar = &config->bars[i];
    uint32_t address_bits = (uint32_t) ~(bar->size - 1), address = config->bar_latch[i] & address_bits;

    if (!bar->size)
        return;
    if (!config->bars_move && address != address_bits)
        address = bar->address;
    put32(config, REG_BAR0 + 4 * i, address | BAR_PREFETCHABLE | (bar->wide ? BAR_64BIT : 0));
    if (bar->wide)
        put32(config, REG_BAR0 + 4 * (i + 1), config->bar_latch[i + 1] & (uint32_t)(~(bar->size - 1) >> 32));
}

static void write_bar_byte(struct config_space *config, size_t offset, uint8_t value)
{
    size_t i = (offset - REG_BAR0) / 4;
    unsigned int shift = 8 * (offset % 4);

    config->bar_latch[i] = (config->bar_latch[i] & ~(0xffu << shift)) | (uint32_t)value << shift;
    update_bar(config, i > 0 && config->bars[i - 1].wide ? i - 1 : i);
}

/*
 * Tells the guest that the addresses are fixed (PCI ECN Enhanced Allocation, 2014). Without it, Linux gives devices
 * that appear while it runs addresses of its own, where there is no memory.
 */
static void init_fixed_addresses(struct config_space *config)
{
    uint8_t entries = 0;

    for (size_t i = 0; i < CONFIG_SPACE_BARS; i++) {
        size_t entry = REG_EA_ENTRIES + EA_ENTRY_BYTES * (size_t)entries;

        if (!config->bars[i].size)
            continue;
        put32(config, entry, EA_ENTRY_WORDS | EA_ENTRY_BAR((uint32_t)i) | EA_ENTRY_NO_SECONDARY | EA_ENTRY_ENABLED);
        put32(config, entry + 4, config->bars[i].address);
        put32(config, entry + 8, (uint32_t)(config->bars[i].size - 1) & ~3u);
        entries++;
    }
    config->bytes[REG_EA] = CAPABILITY_EA;
    config->bytes[REG_EA_COUNT] = entries;
}

static void init(struct config_space *config, const struct config_space_bar *bars, uint8_t irq_line, uint8_t irq_pin,
                 bool has_msi)
{
    memset(config, 0, sizeof(*config));
    memcpy(config->bars, bars, sizeof(config->bars));
    config->has_msi = has_msi;

    put16(config, REG_VENDOR, CROSSVM_PCI_VENDOR);
    put16(config, REG_DEVICE, CROSSVM_PCI_DEVICE);
    put16(config, REG_SUBSYSTEM_VENDOR, CROSSVM_PCI_VENDOR);
    put16(config, REG_SUBSYSTEM, CROSSVM_PCI_DEVICE);
    put32(config, REG_REVISION, CROSSVM_PCI_CLASS << 8 | CROSSVM_PCI_REVISION);
    config->irq_line = irq_line;
    config->bytes[REG_IRQ_PIN] = irq_pin;
    put16(config, REG_STATUS, STATUS_CAPABILITIES);
    if (has_msi) {
        config->bytes[REG_CAPABILITIES] = REG_MSI;
        config->bytes[REG_MSI] = CAPABILITY_MSI;
        put16(config, REG_MSI_CONTROL, MSI_64BIT);
    }
}

void cvmm_config_space_init(struct config_space *config, const struct config_space_bar *bars, uint8_t irq_line,
                            uint8_t irq_pin, bool has_msi)
{
    init(config, bars, irq_line, irq_pin, has_msi);
    config->bytes[has_msi ? REG_MSI + 1 : REG_CAPABILITIES] = REG_EA;
    init_fixed_addresses(config);
    cvmm_config_space_reset(config);
}

void cvmm_config_space_init_movable(struct config_space *config, const struct config_space_bar *bars)
{
    init(config, bars, 0, 1, true);
    config->bars_move = true;
    cvmm_config_space_reset(config);
}

void cvmm_config_space_reset(struct config_space *config)
{
    put16(config, REG_COMMAND, 0);
    config->bytes[REG_CACHE_LINE] = 0;
    config->bytes[REG_LATENCY] = 0;
    config->bytes[REG_IRQ_LINE] = config->irq_line;
    if (config->has_msi) {
        put16(config, REG_MSI_CONTROL, MSI_64BIT);
        memset(config->bytes + REG_MSI_ADDRESS, 0, REG_MSI_END - REG_MSI_ADDRESS);
    }
    memset(config->bar_latch, 0, sizeof(config->bar_latch));
    for (size_t i = 0; i < CONFIG_SPACE_BARS; i++)
        update_bar(config, i);
}

void cvmm_config_space_set_multifunction(struct config_space *config, bool multifunction)
{
    config->bytes[REG_HEADER_TYPE] = multifunction ? HEADER_MULTIFUNCTION : 0;
}

static uint8_t read_byte(const struct config_space *config, size_t offset)
{
    uint8_t byte = config->bytes[offset];

    return offset == REG_STATUS && config->pending ? byte | STATUS_INTERRUPT : byte;
}

uint32_t cvmm_config_space_read(const struct config_space *config, size_t offset, size_t size)
{
    uint32_t value = 0;

    for (size_t i = 0; i < size && i < sizeof(value) && offset + i < CONFIG_SPACE_BYTES; i++)
        value |= (uint32_t)read_byte(config, offset + i) << (8 * i);
    return value;
}

void cvmm_config_space_write(struct config_space *config, size_t offset, size_t size, uint32_t value)
{
    for (size_t i = 0; i < size && i < sizeof(value) && offset + i < CONFIG_SPACE_BYTES; i++) {
        uint8_t byte = (uint8_t)(value >> (8 * i));
        uint8_t mask;

        if (offset + i >= REG_BAR0 && offset + i < REG_BARS_END) {
            write_bar_byte(config, offset + i, byte);
            continue;
        }
        mask = writable_bits(config, offset + i);
        config->bytes[offset + i] = (uint8_t)((config->bytes[offset + i] & ~mask) | (byte & mask));
    }
}

static bool msi_on(const struct config_space *config)
{
    return config->has_msi && get16(config, REG_MSI_CONTROL) & MSI_ENABLE;
}

bool cvmm_config_space_intx_enabled(const struct config_space *config)
{
    uint16_t command = get16(config, REG_COMMAND);

    return command & COMMAND_MEMORY && !(command & COMMAND_INTX_DISABLE) && !msi_on(config);
}

bool cvmm_config_space_msi_enabled(const struct config_space *config, struct config_space_msi *msi)
{
    if (!msi_on(config) || !cvmm_config_space_is_master(config))
        return false;
    msi->address = get32(config, REG_MSI_ADDRESS) | (uint64_t)get32(config, REG_MSI_ADDRESS_HIGH) << 32;
    msi->data = get16(config, REG_MSI_DATA);
    return true;
}

bool cvmm_config_space_is_master(const struct config_space *config)
{
    return get16(config, REG_COMMAND) & COMMAND_MASTER;
}

uint8_t cvmm_config_space_irq_pin(const struct config_space *config)
{
    return config->bytes[REG_IRQ_PIN];
}
