/*
 * store.h - what the files of the public interface share.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_STORE_H
#define ISX_STORE_H

#include "index/index.h"

struct isx_store {
	struct isx_engine *engine;
};

#endif
