/* SPDX-License-Identifier: BSD-2-Clause */
/* Counters of exits. */
#pragma once

struct kvm_vcpu;

/** Finds the kernel's counters of a vCPU. Without them, only this process's own exist. */
void kvm_stats_open(struct kvm_vcpu *cpu);
