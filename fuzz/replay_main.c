/*
 * replay_main.c - run a fuzz target over files and folders of files, without clang: for `make
 *                 test`.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	struct stat info;
	if (!file || fstat(fileno(file), &info) != 0) {
		perror(path);
		return -1;
	}
	size_t size = (size_t)info.st_size;
	uint8_t *data = malloc(size + 1);
	int bad = !data || fread(data, 1, size, file) != size;
	fclose(file);
	if (bad)
		perror(path);
	else
		LLVMFuzzerTestOneInput(data, size);
	free(data);
	return bad ? -1 : 1;
}

/* Replay a file, or every file of a folder; returns how many, -1 on an error. */
static int replay(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;
	int total = 0;
	if (!folder)
		return replay_file(path);
	while (total >= 0 && (entry = readdir(folder))) {
		char inner[4096];
		if (entry->d_name[0] == '.')
			continue;
		snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
		total = replay_file(inner) < 0 ? -1 : total + 1;
	}
	closedir(folder);
	return total;
}

int main(int argc, char **argv)
{
	int total = 0;
	for (int i = 1; i < argc; i++) {
		int count = replay(argv[i]);
		if (count < 0)
			return 1;
		total += count;
	}
	printf("%d inputs\n", total);
	return total == 0; /* no input is a mistake, and fails */
}
