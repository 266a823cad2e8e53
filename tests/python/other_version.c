/* SPDX-License-Identifier: BSD-2-Clause */
/* All that the Python module asks of a libcrossvm with which it does not work. */
#include <crossvm/version.h>

uint32_t crossvm_version(void)
{
    return CROSSVM_VERSION_NUMBER(0, 1, 7);
}
