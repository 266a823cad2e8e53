/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Prints the layout of all structures that callers of libcrossvm share with it, for comparison with the one that is
 * recorded.
 */
#include <stdio.h>

#include <crossvm/end_channel.h>

#define WHOLE(type) printf("%s %zu %zu\n", #type, sizeof(type), _Alignof(type))
#define MEMBER(type, member)                                                                                           \
    printf("%s.%s %zu %zu\n", #type, #member, offsetof(type, member), sizeof(((type *)NULL)->member))

static void print_interface(void)
{
    puts("# structures of the interface: size and alignment; offset and size of each member");
    WHOLE(crossvm_deadline_t);
    MEMBER(crossvm_deadline_t, ns);
    WHOLE(crossvm_dataport_t);
    MEMBER(crossvm_dataport_t, address);
    MEMBER(crossvm_dataport_t, size);
    MEMBER(crossvm_dataport_t, rights);
    WHOLE(crossvm_dataport_info_t);
    MEMBER(crossvm_dataport_info_t, size);
    MEMBER(crossvm_dataport_info_t, rights);
    MEMBER(crossvm_dataport_info_t, reserved);
    WHOLE(crossvm_end_info_t);
    MEMBER(crossvm_end_info_t, name);
    MEMBER(crossvm_end_info_t, path);
    MEMBER(crossvm_end_info_t, location);
    MEMBER(crossvm_end_info_t, via);
    MEMBER(crossvm_end_info_t, error);
    MEMBER(crossvm_end_info_t, version);
    MEMBER(crossvm_end_info_t, end);
    MEMBER(crossvm_end_info_t, peer_state);
    MEMBER(crossvm_end_info_t, peer_generation);
    MEMBER(crossvm_end_info_t, events);
    MEMBER(crossvm_end_info_t, owner);
    MEMBER(crossvm_end_info_t, msi);
    MEMBER(crossvm_end_info_t, vm_exits);
    MEMBER(crossvm_end_info_t, vm_user_exits);
    MEMBER(crossvm_end_info_t, num_dataports);
    MEMBER(crossvm_end_info_t, dataports);
    MEMBER(crossvm_end_info_t, peer_door);
    MEMBER(crossvm_end_info_t, peer_here);
    WHOLE(crossvm_channel_options_t);
    MEMBER(crossvm_channel_options_t, mode);
    MEMBER(crossvm_channel_options_t, dataport);
    MEMBER(crossvm_channel_options_t, end);
    MEMBER(crossvm_channel_options_t, spin);
    MEMBER(crossvm_channel_options_t, reserved);
    WHOLE(crossvm_channel_config_t);
    MEMBER(crossvm_channel_config_t, memory);
    MEMBER(crossvm_channel_config_t, size);
    MEMBER(crossvm_channel_config_t, end);
    MEMBER(crossvm_channel_config_t, mode);
    MEMBER(crossvm_channel_config_t, flags);
    MEMBER(crossvm_channel_config_t, spin);
    MEMBER(crossvm_channel_config_t, emit);
    MEMBER(crossvm_channel_config_t, wait);
    MEMBER(crossvm_channel_config_t, failed);
    MEMBER(crossvm_channel_config_t, cookie);
    MEMBER(crossvm_channel_config_t, reserved);
    WHOLE(crossvm_channel_counts_t);
    MEMBER(crossvm_channel_counts_t, emits);
    MEMBER(crossvm_channel_counts_t, waits);
    MEMBER(crossvm_channel_counts_t, sessions);
    WHOLE(crossvm_channel_sleep_t);
    MEMBER(crossvm_channel_sleep_t, limit_us);
    MEMBER(crossvm_channel_sleep_t, number);
    WHOLE(crossvm_channel_state_t);
}

/* Of the channel, the members that inline functions use, and its size for callers who provide the memory. */
static void print_inline(void)
{
    puts("# what inline functions use");
    WHOLE(crossvm_channel_t);
    MEMBER(crossvm_channel_t, config.mode);
    MEMBER(crossvm_channel_t, send.at);
    MEMBER(crossvm_channel_t, send.end);
    MEMBER(crossvm_channel_t, send.longest);
    MEMBER(crossvm_channel_t, send.bias);
    MEMBER(crossvm_channel_t, send.produced);
    MEMBER(crossvm_channel_t, send.looked_at);
    MEMBER(crossvm_channel_t, send.batches);
    MEMBER(crossvm_channel_t, recv.at);
    MEMBER(crossvm_channel_t, recv.end);
    MEMBER(crossvm_channel_t, recv.next);
    MEMBER(crossvm_channel_t, recv.part);
    MEMBER(crossvm_channel_t, recv.part_end);
    MEMBER(crossvm_channel_t, recv.each);
}

int main(void)
{
    printf("version %d.%d\n", CROSSVM_VERSION_MAJOR, CROSSVM_VERSION_MINOR);
    print_interface();
    print_inline();
    return 0;
}
