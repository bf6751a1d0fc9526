/*
 * sim_walk.h - the assets of a file of usearch:// or memory://, with the simprints that they have.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_SIM_WALK_H
#define ISX_SIM_WALK_H

#include "storage/lmdb_walk.h"

extern const struct isx_walk_rules isx_sim_walk_rules;

#endif
