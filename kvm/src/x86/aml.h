/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes AML, the byte code in which ACPI describes devices (ACPI 6.4, chapter 20).
 *
 * Nothing is written beyond the end of the memory given; kvm_aml_finish() tells.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct aml {
    uint8_t *bytes;
    size_t capacity;
    size_t length; /**< may exceed the capacity */
};

/** Names have four characters. */
void kvm_aml_name(struct aml *aml, const char *name);
void kvm_aml_integer(struct aml *aml, uint32_t value);
/** A device's kind, such as "PNP0A03". */
void kvm_aml_eisa_id(struct aml *aml, const char *id);

/** Blocks: what is written until kvm_aml_end(), which is given what the beginning returned, is inside. */
size_t kvm_aml_begin_scope(struct aml *aml, const char *root_name);
size_t kvm_aml_begin_device(struct aml *aml, const char *name);
size_t kvm_aml_begin_package(struct aml *aml, uint8_t num_elements);
void kvm_aml_end(struct aml *aml, size_t begin);

/** A list of resources: the same, with kvm_aml_end_resources(). */
size_t kvm_aml_begin_resources(struct aml *aml);
void kvm_aml_resource_bus_numbers(struct aml *aml, uint16_t first, uint16_t last);
void kvm_aml_resource_ports(struct aml *aml, uint16_t first, uint8_t num);
void kvm_aml_resource_memory_window(struct aml *aml, uint32_t first, uint32_t last);
void kvm_aml_resource_edge_interrupt(struct aml *aml, uint32_t number);
void kvm_aml_end_resources(struct aml *aml, size_t begin);

/** The length, or 0 when the memory did not suffice. */
size_t kvm_aml_finish(const struct aml *aml);
