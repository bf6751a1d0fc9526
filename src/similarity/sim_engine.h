/*
 * sim_engine.h - the layout of the files of usearch:// and memory://, for storage/ and postgres/.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_SIM_ENGINE_H
#define ISX_SIM_ENGINE_H

#include "storage/lmdb_file.h"

/* The tables of such a file (sim_format.h), and the function that fills its derived tables. */
extern const struct isx_lmdb_layout isx_sim_layout;

#endif
