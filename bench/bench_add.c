/*
 * bench_add.c - add assets over HTTP: requests of some hundred assets, or one import.
 *
 * Starts --program (build/iscc-search) on a new folder below --folder (/var/tmp), lets --clients send
 * POST /indexes/main/assets with --batch assets each, one request after another on a connection that
 * stays open, and prints assets/s from the first byte sent to the last answer. The assets are the
 * lines of --data; further ones, and all of another ISCC-ID, are made of them by flipping up to 96 bits of
 * each unit. Without --data their units are random. --import sends them as the lines of one import.
 * Without arguments: 10,000 and 100,000 assets, ids ascending and random, 1 and 8 clients.
 *
 * The requests are composed before the clock starts. The server shares the processors with this
 * program, which does little but write and read. Prints machine, seed, and the processor time that
 * the server took.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/clock.h"
#include "base/mem.h"
#include "iscc/iscc_id.h"
#include "iscc/unit.h"
#include "json/wire.h"

#include <ftw.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CLIENTS_MAX = 256, FLIPPED_MAX = 96, ANSWER_BYTES = 1 << 20 };

static const uint64_t seed = 20261127;

struct options {
	const char *program, *data, *folder;
	uint64_t assets;
	size_t batch, clients;
	bool is_random, is_import;
};

/* Requests, with their heads. */
struct requests {
	struct isx_buf *items;
	size_t count;
	_Atomic size_t next;
	uint16_t port;
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9E3779B97F4A7C15u);
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
	return z ^ (z >> 31);
}

/* --- assets ----------------------------------------------------------------------------------- */

static void append_unit(struct isx_buf *out, struct isx_unit *unit, size_t flips, uint64_t *state)
{
	char text[ISX_UNIT_TEXT_BYTES];
	for (size_t i = 0; i < flips; i++) {
		uint64_t bit = next_random(state) % (unit->body_bytes * 8);
		unit->body[bit / 8] ^= (uint8_t)(1u << (bit % 8));
	}
	isx_unit_print(unit, text);
	isx_buf_printf(out, "\"%s\"", text);
}

/* Asset `number` as JSON, made of `model`; NULL: random units of 256 bits. */
static void append_asset(struct isx_buf *out, uint64_t number, const struct isx_asset *model,
			 bool is_model)
{
	static const uint32_t types[] = { ISX_META, ISX_CONTENT, ISX_DATA, ISX_INSTANCE };
	struct isx_iscc_id id = { .body = (1735689600000000u + number * 1000) << 12, .version = 1 };
	uint64_t state = seed ^ (number + 1) * 0xD1342543DE82EF95u;
	char text[ISX_ISCC_ID_TEXT_BYTES];
	isx_iscc_id_print(&id, text);
	isx_buf_printf(out, "{\"iscc_id\":\"%s\",\"units\":[", text);
	for (size_t i = 0; i < (model ? model->unit_count : 4); i++) {
		struct isx_unit unit = { .body_bytes = 32 };
		struct isx_err err;
		if (model && isx_unit_parse(isx_span_of(model->units[i]), &unit, &err))
			die(err.msg);
		if (!model)
			unit.header = (struct isx_header){ .maintype = types[i], .length = 7 };
		isx_buf_text(out, i ? "," : "");
		append_unit(out, &unit, model ? is_model ? 0 : FLIPPED_MAX : 1000, &state);
	}
	isx_buf_printf(out, "],\"metadata\":%s}",
		       model && model->metadata ? model->metadata : "{\"name\":\"made up\"}");
}

static struct isx_asset *read_models(const char *path, struct isx_arena *arena, size_t *count)
{
	FILE *file = fopen(path, "r");
	struct isx_asset *models = NULL;
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;
	if (!file)
		die(path);
	while ((len = getline(&line, &cap, file)) > 1) {
		struct isx_problems problems = { 0 };
		struct isx_err err;
		models = isx_mem_resize(models, *count + 1, sizeof *models);
		if (isx_asset_from_json((struct isx_span){ line, (size_t)len }, arena,
					&models[*count], &problems, &err))
			die(err.msg);
		++*count;
	}
	fclose(file);
	free(line);
	return models;
}

/* Numbers 0 to count - 1, shuffled if wanted. New. */
static uint64_t *order_of(uint64_t count, bool shuffled)
{
	uint64_t *order = isx_mem_array(count, sizeof *order), state = seed;
	for (uint64_t i = 0; i < count; i++)
		order[i] = i;
	for (uint64_t i = count - 1; shuffled && i > 0; i--) {
		uint64_t other = next_random(&state) % (i + 1), held = order[i];
		order[i] = order[other];
		order[other] = held;
	}
	return order;
}

static void append_head(struct isx_buf *out, const char *path, const char *type, size_t len)
{
	isx_buf_printf(out,
		       "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/%s\r\n"
		       "Content-Length: %zu\r\n\r\n",
		       path, type, len);
}

static void compose(const struct options *options, struct requests *requests)
{
	struct isx_arena arena = { 0 };
	size_t model_count = 0;
	struct isx_asset *models = options->data ? read_models(options->data, &arena, &model_count)
						 : NULL;
	uint64_t *order = order_of(options->assets, options->is_random);
	size_t batch = options->is_import ? options->assets : options->batch;
	*requests = (struct requests){ .count = (options->assets + batch - 1) / batch };
	requests->items = isx_mem_array(requests->count, sizeof *requests->items);
	for (size_t i = 0, at = 0; i < requests->count; i++) {
		struct isx_buf body = { 0 };
		for (size_t k = 0; k < batch && at < options->assets; k++, at++) {
			isx_buf_text(&body, options->is_import ? "" : k ? "," : "[");
			append_asset(&body, order[at],
				     models ? &models[order[at] % model_count] : NULL,
				     order[at] < model_count);
			isx_buf_text(&body, options->is_import ? "\n" : "");
		}
		isx_buf_text(&body, options->is_import ? "" : "]");
		append_head(&requests->items[i],
			    options->is_import ? "/indexes/main/import" : "/indexes/main/assets",
			    options->is_import ? "x-ndjson" : "json", body.len);
		isx_buf_add(&requests->items[i], body.ptr, body.len);
		isx_buf_release(&body);
	}
	isx_mem_free(order);
	isx_mem_free(models);
	isx_arena_release(&arena);
}

/* --- the server ------------------------------------------------------------------------------- */

static pid_t start_server(const struct options *options, const char *folder, uint16_t *port)
{
	int pipes[2];
	char uri[300], line[512];
	unsigned number = 0;
	snprintf(uri, sizeof uri, "usearch://%s", folder);
	if (pipe(pipes))
		die("pipe");
	pid_t pid = fork();
	if (pid == 0) {
		dup2(pipes[1], STDOUT_FILENO);
		close(pipes[0]);
		setenv("ISCC_SEARCH_INDEX_URI", uri, 1);
		setenv("ISCC_SEARCH_LOG_LEVEL", "error", 1);
		execl(options->program, options->program, "serve", "--host", "127.0.0.1", "--port",
		      "0", (char *)NULL);
		die(options->program);
	}
	close(pipes[1]);
	FILE *out = fdopen(pipes[0], "r");
	while (out && number == 0 && fgets(line, sizeof line, out)) {
		const char *at = strstr(line, "http://127.0.0.1:");
		number = at ? (unsigned)strtoul(at + 17, NULL, 10) : 0;
	}
	if (!number)
		die("the server has not said its port");
	*port = (uint16_t)number; /* the pipe stays open: the server may print more */
	return pid;
}

/* Bytes that a process has handed to write() and its like: those of answers, and of the file. */
static unsigned long long written_by(pid_t pid)
{
	char path[64], line[128];
	unsigned long long bytes = 0;
	snprintf(path, sizeof path, "/proc/%d/io", (int)pid);
	FILE *file = fopen(path, "r");
	while (file && fgets(line, sizeof line, file))
		if (strncmp(line, "wchar: ", 7) == 0)
			bytes = strtoull(line + 7, NULL, 10);
	if (file)
		fclose(file);
	return bytes;
}

static int connect_to(uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	for (int i = 0; connect(fd, (struct sockaddr *)&address, sizeof address); i++) {
		if (i == 100)
			die("connect");
		usleep(50000);
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return fd;
}

/* Send a request. */
static void send_all(int fd, const struct isx_buf *request)
{
	for (size_t done = 0; done < request->len;) {
		ssize_t count = send(fd, request->ptr + done, request->len - done, MSG_NOSIGNAL);
		if (count < 0)
			die("send");
		done += (size_t)count;
	}
}

/* Read an answer with a Content-Length or in chunks, to its end. */
static void receive(int fd, char *answer)
{
	size_t len = 0, need = 0;
	bool is_chunked = false;
	while (need == 0 || len < need) {
		ssize_t count = recv(fd, answer + len, ANSWER_BYTES - len - 1, 0);
		if (count <= 0)
			die("receive");
		len += (size_t)count;
		answer[len] = '\0';
		const char *end = need ? NULL : strstr(answer, "\r\n\r\n");
		if (end) {
			const char *length = strcasestr(answer, "\r\nContent-Length:");
			if (strncmp(answer, "HTTP/1.1 20", 11) != 0)
				die(answer);
			is_chunked = !length;
			need = length ? (size_t)(end + 4 - answer) + strtoull(length + 17, NULL, 10)
				      : SIZE_MAX;
		}
		if (is_chunked && len >= 5 && memcmp(answer + len - 5, "0\r\n\r\n", 5) == 0)
			break;
		if (is_chunked && len > ANSWER_BYTES / 2) { /* only its end matters */
			memmove(answer, answer + len - 5, 5);
			len = 5;
		}
	}
	answer[len] = '\0';
}

static void *run_client(void *arg)
{
	struct requests *requests = arg;
	char *answer = isx_mem_array(1, ANSWER_BYTES);
	int fd = connect_to(requests->port);
	for (size_t i; (i = requests->next++) < requests->count;) {
		send_all(fd, &requests->items[i]);
		receive(fd, answer);
		if (strstr(answer, "\"error\""))
			die(answer);
	}
	close(fd);
	isx_mem_free(answer);
	return NULL;
}

static int remove_entry(const char *path, const struct stat *stat, int kind, struct FTW *where)
{
	(void)stat, (void)kind, (void)where;
	return remove(path);
}

static void create_index(uint16_t port)
{
	char answer[4096];
	struct isx_buf request = { 0 };
	int fd = connect_to(port);
	append_head(&request, "/indexes", "json", 15);
	isx_buf_text(&request, "{\"name\":\"main\"}");
	send_all(fd, &request);
	if (recv(fd, answer, sizeof answer, 0) < 12 || strncmp(answer, "HTTP/1.1 201", 12) != 0)
		die("create the index");
	close(fd);
	isx_buf_release(&request);
}

static void measure(const struct options *options)
{
	char folder[256];
	struct requests requests;
	pthread_t threads[CLIENTS_MAX];
	struct rusage used;
	snprintf(folder, sizeof folder, "%s/isx-bench-XXXXXX", options->folder);
	if (!mkdtemp(folder))
		die(folder);
	compose(options, &requests);
	pid_t pid = start_server(options, folder, &requests.port);
	create_index(requests.port);
	uint64_t start = isx_clock_ns();
	for (size_t i = 0; i < options->clients; i++)
		if (pthread_create(&threads[i], NULL, run_client, &requests))
			die("thread");
	for (size_t i = 0; i < options->clients; i++)
		pthread_join(threads[i], NULL);
	double seconds = (double)(isx_clock_ns() - start) / 1e9;
	unsigned long long written = written_by(pid);
	kill(pid, SIGTERM);
	if (wait4(pid, NULL, 0, &used) != pid)
		die("wait");
	printf("%7llu assets, %s, ids %-9s, %zu clients: %8.0f assets/s (%.2f s; server %.2f s "
	       "user, "
	       "%.2f s system, %ld MiB at most, %llu MiB written)\n",
	       (unsigned long long)options->assets,
	       options->is_import ? "one import" : "batches   ",
	       options->is_random ? "random" : "ascending", options->clients,
	       (double)options->assets / seconds, seconds,
	       (double)used.ru_utime.tv_sec + (double)used.ru_utime.tv_usec / 1e6,
	       (double)used.ru_stime.tv_sec + (double)used.ru_stime.tv_usec / 1e6,
	       used.ru_maxrss / 1024, written >> 20);
	fflush(stdout);
	for (size_t i = 0; i < requests.count; i++)
		isx_buf_release(&requests.items[i]);
	isx_mem_free(requests.items);
	nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* What is not given is measured in every way. */
static void measure_all(struct options *options, bool has_assets, bool has_order, bool has_clients)
{
	static const uint64_t sizes[] = { 10000, 100000 };
	static const size_t clients[] = { 1, 8 };
	for (size_t s = 0; s < (has_assets ? 1 : 2); s++)
		for (size_t r = 0; r < (has_order ? 1 : 2); r++)
			for (size_t c = 0; c < (has_clients ? 1 : 2); c++) {
				if (!has_assets)
					options->assets = sizes[s];
				if (!has_order)
					options->is_random = r;
				if (!has_clients)
					options->clients = clients[c];
				measure(options);
			}
}

int main(int argc, char **argv)
{
	struct options options = { .program = "build/iscc-search",
				   .folder = "/var/tmp",
				   .batch = 500 };
	bool has_assets = false, has_order = false, has_clients = false;
	for (int i = 1; i < argc; i++) {
		const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";
		if (strcmp(name, "--import") == 0) {
			options.is_import = has_clients = true;
			options.clients = 1;
			continue;
		}
		i++;
		if (strcmp(name, "--program") == 0)
			options.program = value;
		else if (strcmp(name, "--data") == 0)
			options.data = value;
		else if (strcmp(name, "--folder") == 0)
			options.folder = value;
		else if (strcmp(name, "--assets") == 0)
			options.assets = strtoull(value, NULL, 10), has_assets = true;
		else if (strcmp(name, "--batch") == 0)
			options.batch = strtoul(value, NULL, 10);
		else if (strcmp(name, "--clients") == 0)
			options.clients = strtoul(value, NULL, 10), has_clients = true;
		else if (strcmp(name, "--order") == 0)
			options.is_random = strcmp(value, "random") == 0, has_order = true;
		else {
			fprintf(stderr, "%s: not an option\n", name);
			return 2;
		}
	}
	if (options.batch == 0 || (has_clients && options.clients - 1 >= CLIENTS_MAX)) {
		fprintf(stderr, "expected at least one asset a batch, and 1 to %d clients\n",
			CLIENTS_MAX);
		return 2;
	}
	printf("%s, seed %llu, %ld processors\n", options.program, (unsigned long long)seed,
	       sysconf(_SC_NPROCESSORS_ONLN));
	measure_all(&options, has_assets, has_order, has_clients);
	return 0;
}
