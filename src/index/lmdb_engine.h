/*
 * lmdb_engine.h - what describes the files of usearch:// and memory:// to the rooms below.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LMDB_ENGINE_H
#define ISX_LMDB_ENGINE_H

#include "index/lmdb_file.h"

/* The tables of such a file (lmdb_format.h), and how what is derived is filled. */
extern const struct isx_lmdb_layout isx_similarity_layout;

#endif
