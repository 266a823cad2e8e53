/* SPDX-License-Identifier: BSD-2-Clause */
#include "candidates.h"

#include <string.h>

#include "../hub/hub.h"
#include "command.h"
#include "ends.h"

/* Those that `crossvm ls` shows. What could not be looked at is left out: there is no place to say so. */
static void offer_names(const struct completion *completion)
{
    crossvm_end_info_t *ends;
    size_t count;

    (void)crossvm_list(&ends, &count, sizeof(*ends));
    for (size_t i = 0; i < count; i++) {
        bool is_second = i > 0 && strcmp(ends[i].name, ends[i - 1].name) == 0;

        completion_offer(completion, is_second ? ends[i].path : ends[i].name, end_via(&ends[i]));
    }
    crossvm_list_free(ends);
    if (strchr(completion->word, '/'))
        completion_offer_files();
}

static void offer_doors(const struct completion *completion)
{
    for (enum crossvm_door door = CROSSVM_DOOR_HOST; door <= CROSSVM_DOOR_IVSHMEM; door++)
        completion_offer(completion, hub_door_word(door), NULL);
}

static void offer_vmms(const struct completion *completion)
{
    for (size_t i = 0; vmm_words[i]; i++)
        completion_offer(completion, vmm_words[i], NULL);
}

void candidates_offer(const struct completion *completion, const char *placeholder)
{
    static const struct {
        const char *placeholder;
        void (*offer)(const struct completion *completion);
    } known[] = {{"NAME", offer_names}, {"DOOR", offer_doors}, {"VMM", offer_vmms}};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(placeholder, known[i].placeholder) == 0)
            known[i].offer(completion);
    }
}
