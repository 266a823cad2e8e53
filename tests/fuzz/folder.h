/* SPDX-License-Identifier: BSD-2-Clause */
/* A folder that a process makes once for its files, and removes at its end. */
#pragma once

/** The path of a file in the folder, good until the next call. The file is removed with the folder. */
const char *folder_path(const char *file);
