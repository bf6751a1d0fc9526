/*
 * sim_engine.h - what describes the files of usearch:// and memory:// to the rooms below.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_SIM_ENGINE_H
#define ISX_SIM_ENGINE_H

#include "storage/lmdb_file.h"

/* The tables of such a file (sim_format.h), and how what is derived is filled. */
extern const struct isx_lmdb_layout isx_sim_layout;

#endif
