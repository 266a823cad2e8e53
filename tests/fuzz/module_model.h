/* SPDX-License-Identifier: BSD-2-Clause */
/* A connection as docs/device.md describes it: what a guest finds in its registers after all that happened. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <crossvm/vmm.h>

#define MODEL_BARS 6

struct model {
    /* What was installed */
    char name[CROSSVM_FULL_NAME_BYTES];
    bool base_block_only, peer_page, own_page, has_msi;
    uint32_t end;
    size_t num_dataports;
    uint64_t dataport_size[CROSSVM_MAX_DATAPORTS];
    uint32_t dataport_rights[CROSSVM_MAX_DATAPORTS];
    int irq;
    uint32_t bar_address[MODEL_BARS], bar_size[MODEL_BARS];

    /* Event page */
    uint32_t count, peer_state, peer_generation, status, seen, driver;
    uint64_t events;

    /* Configuration space */
    uint16_t command;
    uint8_t cache_line, latency, irq_line;
    uint32_t bar_latch[MODEL_BARS];
    bool msi_on, pending;
    uint32_t msi_address, msi_address_high;
    uint16_t msi_data;

    uint64_t emits, failed_emits;
    bool owed; /* something came of which no interrupt has told the guest's driver yet */
};

/** What a store to the event page calls for. */
enum model_effect { MODEL_NOTHING, MODEL_EMIT, MODEL_EMIT_COUNTED, MODEL_DRIVER_CHANGED };

/** Power-on state of what was installed. */
void model_begin(struct model *model, const crossvm_connection_config_t *config, const crossvm_connection_info_t *info,
                 bool has_msi);

/** Section 4.3: a store of 1 to 8 bytes at any offset of the event page. */
enum model_effect model_store(struct model *model, size_t offset, size_t length, uint32_t value);

/** Sections 2 and 3: a write to configuration space, and a word of it. */
void model_config_write(struct model *model, size_t offset, size_t size, uint32_t value);
uint32_t model_config_word(const struct model *model, size_t offset);

bool model_intx_enabled(const struct model *model);
bool model_msi_active(const struct model *model);

/** Section 7: a reset of the guest. */
void model_reset(struct model *model);

/** The event page as the guest loads it. */
void model_page(const struct model *model, uint8_t page[CROSSVM_PAGE_SIZE]);
