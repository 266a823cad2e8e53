/* SPDX-License-Identifier: BSD-2-Clause */
/* Nothing of guest memory depends on the architecture here. */
#pragma once
