/*
 * sim_engine.h - the kind of the files of usearch:// and memory://, for storage/ and postgres/.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_SIM_ENGINE_H
#define ISX_SIM_ENGINE_H

#include "storage/lmdb_kind.h"

/* Such a file (sim_format.h), and how assets are kept in it. */
extern const struct isx_lmdb_kind isx_sim_kind;

#endif
