/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes AML, the byte code in which ACPI describes devices (ACPI 6.4, chapter 20).
 *
 * Nothing is written beyond the memory. Only kvm_aml_finish() tells whether it was enough.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct aml {
    uint8_t *bytes;
    size_t capacity;
    size_t length; /**< may exceed the capacity */
};

/** Writes a name, which has four characters. */
void kvm_aml_name(struct aml *aml, const char *name);

/** Writes an integer. */
void kvm_aml_integer(struct aml *aml, uint32_t value);

/** Writes the identifier of a kind of device, such as "PNP0A03". */
void kvm_aml_eisa_id(struct aml *aml, const char *id);

/* A block holds what is written between one of these and kvm_aml_end(), which gets what the former returned. */
size_t kvm_aml_begin_scope(struct aml *aml, const char *root_name);
size_t kvm_aml_begin_device(struct aml *aml, const char *name);
size_t kvm_aml_begin_package(struct aml *aml, uint8_t num_elements);
void kvm_aml_end(struct aml *aml, size_t begin);

/* A list of resources holds what is written between the first and the last of these. */
size_t kvm_aml_begin_resources(struct aml *aml);
void kvm_aml_resource_bus_numbers(struct aml *aml, uint16_t first, uint16_t last);
void kvm_aml_resource_ports(struct aml *aml, uint16_t first, uint8_t num);
void kvm_aml_resource_memory_window(struct aml *aml, uint32_t first, uint32_t last);
void kvm_aml_resource_edge_interrupt(struct aml *aml, uint32_t number);
void kvm_aml_end_resources(struct aml *aml, size_t begin);

/** Returns the length, or 0 if the memory was not enough. */
size_t kvm_aml_finish(const struct aml *aml);
