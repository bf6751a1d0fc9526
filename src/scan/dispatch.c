/*
 * dispatch.c - choose the kernel: the fastest one that this processor can run, or one forced by
 *              name.
 *
 * The choice is made at run time, so that one binary serves every processor; each kernel is
 * compiled for its own instruction set by function attributes.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "scan/kernels.h"

#include <stdatomic.h>
#include <string.h>
#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

static bool any_cpu(void)
{
	return true;
}

/* Every extension that kernel_avx512.c is compiled for: a processor with AVX-512 may lack some of
 * them, as Skylake-X lacks VPOPCNTDQ. */
#if defined(__x86_64__)
static bool has_avx512(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
	       __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi") &&
	       __builtin_cpu_supports("avx512vpopcntdq");
}

static bool has_avx2(void)
{
	return __builtin_cpu_supports("avx2");
}
#elif defined(__aarch64__)
static bool has_neon(void)
{
	return getauxval(AT_HWCAP) & HWCAP_ASIMD;
}
#endif

const struct isx_kernel isx_kernels[] = {
#if defined(__x86_64__)
	{ "avx512-vpopcntdq", has_avx512, isx_scan_avx512, isx_scan_pages_avx512,
	  isx_scan_many_avx512 },
	{ "avx2", has_avx2, isx_scan_avx2, isx_scan_pages_avx2, isx_scan_many_avx2 },
#elif defined(__aarch64__)
	{ "neon", has_neon, isx_scan_neon, isx_scan_pages_neon, isx_scan_many_neon },
#endif
	{ "scalar", any_cpu, isx_scan_scalar, isx_scan_pages_scalar, isx_scan_many_scalar },
};
const size_t isx_kernel_count = sizeof isx_kernels / sizeof isx_kernels[0];

static _Atomic(const struct isx_kernel *) chosen; /* NULL: not yet. The only state of this room */

/* Threads that come first at once choose the same kernel, so relaxed order is enough. */
const struct isx_kernel *isx_kernel_best(void)
{
	const struct isx_kernel *kernel = atomic_load_explicit(&chosen, memory_order_relaxed);
	if (kernel)
		return kernel;
	for (kernel = isx_kernels; !kernel->runs_here();)
		kernel++; /* ends at "scalar", which every processor can run */
	atomic_store_explicit(&chosen, kernel, memory_order_relaxed);
	return kernel;
}

bool isx_kernel_force(const char *name)
{
	for (size_t i = 0; name && i < isx_kernel_count; i++) {
		if (strcmp(isx_kernels[i].name, name) == 0 && isx_kernels[i].runs_here()) {
			atomic_store(&chosen, &isx_kernels[i]);
			return true;
		}
	}
	if (!name)
		atomic_store(&chosen, NULL);
	return !name;
}
