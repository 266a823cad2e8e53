/* SPDX-License-Identifier: BSD-2-Clause */
/* Counters of exits. */
#pragma once

struct kvm_vcpu;

/** Opens the kernel's counters of a vCPU. A kernel without them leaves only this process's own counters. */
void kvm_stats_open(struct kvm_vcpu *cpu);
