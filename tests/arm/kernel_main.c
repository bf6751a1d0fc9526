/*
 * kernel_main.c - the comparison of tests/unit/test_kernel.c without a test library, for a processor
 *                 that is only emulated (make arm).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "../unit/check_kernel.h"

int main(void)
{
	static struct check check;
	int status = 0;
	if (!check_open(&check))
		return 1;
	printf("ISX_SEED=%llu\n", (unsigned long long)check_seed());
	for (size_t i = 0; i < isx_kernel_count; i++) {
		if (!isx_kernels[i].runs_here()) {
			printf("%s: does not run here\n", isx_kernels[i].name);
			continue;
		}
		const bool is_right = check_kernel(&check, &isx_kernels[i], check_seed());
		printf("%s: %s\n", isx_kernels[i].name, is_right ? "ok" : check.why);
		if (!is_right)
			status = 1;
	}
	printf("best: %s\n", isx_kernel_best()->name);
	check_close(&check);
	return status;
}
