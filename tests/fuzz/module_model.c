/* SPDX-License-Identifier: BSD-2-Clause */
#include "module_model.h"

#include <string.h>

#define COMMAND_WRITABLE 0x0406
#define BAR_PREFETCHABLE 0x8

void model_begin(struct model *model, const crossvm_connection_config_t *config, const crossvm_connection_info_t *info,
                 bool has_msi)
{
    *model = (struct model){
        .base_block_only = config->base_block_only,
        .peer_page = config->peer_page != seL4_CapNull,
        .own_page = config->own_page != seL4_CapNull,
        .has_msi = has_msi && !config->base_block_only,
        .end = config->end,
        .num_dataports = config->num_dataports,
        .irq = info->irq,
        .irq_line = (uint8_t)info->irq,
    };
    memcpy(model->name, config->name, strlen(config->name));
    for (size_t i = 0; i < config->num_dataports; i++) {
        model->dataport_size[i] = config->dataports[i].num_frames * CROSSVM_PAGE_SIZE;
        model->dataport_rights[i] = config->dataports[i].guest_rights ? config->dataports[i].guest_rights : 3;
    }
    for (size_t i = 0; i <= config->num_dataports; i++) {
        model->bar_address[i] = (uint32_t)info->bar_address[i];
        model->bar_size[i] = (uint32_t)info->bar_size[i];
    }
}

static void acknowledge(struct model *model)
{
    model->pending = model->owed = false;
}

enum model_effect model_store(struct model *model, size_t offset, size_t length, uint32_t value)
{
    if (offset == 0x00)
        return MODEL_EMIT;
    if (offset == 0x68 && model->own_page)
        return MODEL_EMIT_COUNTED;
    if (length != 4)
        return MODEL_NOTHING;
    if (offset == 0x04) {
        model->count = value;
        acknowledge(model);
    } else if (offset == 0x54 && !model->base_block_only) {
        model->seen = value;
        if (value == (uint32_t)model->events)
            acknowledge(model);
    } else if (offset == 0x58 && !model->base_block_only && value <= 2) {
        bool changed = value != model->driver || value == 2;

        model->driver = value;
        return changed ? MODEL_DRIVER_CHANGED : MODEL_NOTHING;
    }
    return MODEL_NOTHING;
}

/* --- configuration space --- */

static void write_byte(struct model *model, size_t offset, uint8_t value)
{
    uint16_t command;
    unsigned int shift = 8 * (offset % 4);

    switch (offset) {
    case 0x04:
    case 0x05:
        shift = 8 * (offset & 1);
        command = (uint16_t)((model->command & ~(0xff << shift)) | value << shift);
        model->command = command & COMMAND_WRITABLE;
        return;
    case 0x0c:
        model->cache_line = value;
        return;
    case 0x0d:
        model->latency = value;
        return;
    case 0x3c:
        model->irq_line = value;
        return;
    default:
        break;
    }
    if (offset >= 0x10 && offset < 0x28) {
        uint32_t *latch = &model->bar_latch[(offset - 0x10) / 4];

        *latch = (*latch & ~(0xffu << shift)) | (uint32_t)value << shift;
    }
    if (!model->has_msi)
        return;
    if (offset == 0x42)
        model->msi_on = value & 1;
    else if (offset >= 0x44 && offset < 0x48)
        model->msi_address = ((model->msi_address & ~(0xffu << shift)) | (uint32_t)value << shift) & ~3u;
    else if (offset >= 0x48 && offset < 0x4c)
        model->msi_address_high = (model->msi_address_high & ~(0xffu << shift)) | (uint32_t)value << shift;
    else if (offset == 0x4c)
        model->msi_data = (uint16_t)((model->msi_data & 0xff00) | value);
    else if (offset == 0x4d)
        model->msi_data = (uint16_t)((model->msi_data & 0x00ff) | value << 8);
}

void model_config_write(struct model *model, size_t offset, size_t size, uint32_t value)
{
    for (size_t i = 0; i < size; i++)
        write_byte(model, offset + i, (uint8_t)(value >> 8 * i));
}

static uint32_t bar(const struct model *model, size_t i)
{
    uint32_t mask = ~(model->bar_size[i] - 1);

    if (!model->bar_size[i])
        return 0;
    return ((model->bar_latch[i] & mask) == mask ? mask : model->bar_address[i]) | BAR_PREFETCHABLE;
}

/* The Enhanced Allocation capability: a word, then three for each BAR. */
static uint32_t fixed_address(const struct model *model, size_t word)
{
    size_t i = (word - 1) / 3;

    if (word == 0)
        return 0x14 | (uint32_t)(1 + model->num_dataports) << 16;
    if (i > model->num_dataports)
        return 0;
    switch ((word - 1) % 3) {
    case 0:
        return 0x80ff0002 | (uint32_t)i << 4;
    case 1:
        return model->bar_address[i];
    default:
        return (model->bar_size[i] - 1) & ~3u;
    }
}

uint32_t model_config_word(const struct model *model, size_t offset)
{
    switch (offset) {
    case 0x00:
    case 0x2c:
        return 0xa1111af4;
    case 0x04:
        return model->command | (uint32_t)(model->pending ? 0x18 : 0x10) << 16;
    case 0x08:
        return 0x05000001;
    case 0x0c:
        return model->cache_line | (uint32_t)model->latency << 8;
    case 0x34:
        return model->has_msi ? 0x40 : 0x50;
    case 0x3c:
        return model->irq_line;
    default:
        break;
    }
    if (offset >= 0x10 && offset < 0x28)
        return bar(model, (offset - 0x10) / 4);
    if (offset >= 0x50 && offset < 0x50 + 4 + 12 * MODEL_BARS)
        return fixed_address(model, (offset - 0x50) / 4);
    if (!model->has_msi)
        return 0;
    switch (offset) {
    case 0x40:
        return 0x00805005 | (uint32_t)model->msi_on << 16;
    case 0x44:
        return model->msi_address;
    case 0x48:
        return model->msi_address_high;
    case 0x4c:
        return model->msi_data;
    default:
        return 0;
    }
}

bool model_msi_active(const struct model *model)
{
    return model->msi_on && model->command & 4;
}

bool model_intx_enabled(const struct model *model)
{
    return model->command & 2 && !(model->command & 0x400) && !model->msi_on;
}

void model_reset(struct model *model)
{
    model->command = 0;
    model->cache_line = model->latency = 0;
    model->irq_line = (uint8_t)model->irq;
    memset(model->bar_latch, 0, sizeof(model->bar_latch));
    model->msi_on = false;
    model->msi_address = model->msi_address_high = model->msi_data = 0;
    model->seen = model->driver = 0;
}

/* --- the event page --- */

static void put(uint8_t *page, size_t offset, uint64_t value, size_t bytes)
{
    memcpy(page + offset, &value, bytes);
}

void model_page(const struct model *model, uint8_t page[CROSSVM_PAGE_SIZE])
{
    size_t length = strlen(model->name);

    memset(page, 0, CROSSVM_PAGE_SIZE);
    put(page, 0x04, model->count, 4);
    memcpy(page + 0x08, model->name, length < 47 ? length : 47);
    if (model->base_block_only)
        return;
    put(page, 0x38, 0x4d565843, 4);
    put(page, 0x3c, 0x00010002, 4);
    put(page, 0x40, model->events, 8);
    put(page, 0x48, model->peer_state, 4);
    put(page, 0x4c, model->peer_generation, 4);
    put(page, 0x50, model->status, 4);
    put(page, 0x54, model->seen, 4);
    put(page, 0x58, model->driver, 4);
    put(page, 0x5c, model->peer_page | (uint32_t)model->own_page << 1, 4);
    put(page, 0x60, model->num_dataports, 4);
    put(page, 0x64, model->end, 4);
    memcpy(page + 0x80, model->name, length);
    for (size_t i = 0; i < model->num_dataports; i++) {
        put(page, 0xc0 + 16 * i, model->dataport_size[i], 8);
        put(page, 0xc8 + 16 * i, model->dataport_rights[i], 4);
        put(page, 0xcc + 16 * i, 1 + i, 4);
    }
}
