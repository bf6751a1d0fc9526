# Build, test and measure iscc-search.
#
#   make            the program, build/iscc-search, and the library, build/libiscc_search.a and .so.0
#   make demo       install what is missing, build, index the sample, search it both ways
#   make test       install what is missing, build, run every test
#   make dist       a source tarball of the last commit, with its checksum
#   make deb        Debian packages of the last commit, checked by lintian
#   make install    PREFIX=/usr/local LIBDIR=$(PREFIX)/lib DESTDIR=; install-library without the program
#                   BUILD=build-small WITH_POSTGRES=0 WITH_REMOTE=0: without those engines
#   make asan tsan  every test under a sanitizer
#   make soak       many processes and hosts, and kill -9, for SOAK_SECONDS=600 and SOAK_ROUNDS=100
#   make fuzz       every fuzz target for FUZZ_SECONDS=60, with clang
#   make bench      every measurement (bench/README.md) but those of servers and of loading: make bench-serve bench-load
#   make bench-peers  this program beside iscc-search 0.3.3, faiss, usearch and PostgreSQL: SIZES="10K 100K 1M 4M"
#                   PAIRS="20K 200K" DATA=assets.jsonl BUDGET=180 (minutes)
#   make lint       warnings as errors under gcc and clang, format, cppcheck, layers
#   make screenshots  pictures of the pages in docs/pictures, by Chromium
#   make check-abi  compare the library's functions and structs with those of tools/abi
#   make arm        the kernel tests on aarch64, emulated
PREFIX ?= /usr/local
DESTDIR ?=
CC ?= cc
AR ?= ar
BUILD ?= build
FUZZ_SECONDS ?= 60
SOAK_SECONDS ?= 600
SOAK_ROUNDS ?= 100
DAMAGE_FILES ?= 500
# V=1 shows the commands.
Q := $(if $(V),,@)
comma := ,

# Without an engine the library needs fewer others, and a URI of that engine is refused (in another BUILD:
# what is compiled already is not compiled again).
WITH_POSTGRES ?= 1
WITH_REMOTE ?= 1
LEFT_OUT := $(if $(filter 0,$(WITH_POSTGRES)),libpq) $(if $(filter 0,$(WITH_REMOTE)),libcurl)
WITHOUT := $(if $(filter 0,$(WITH_POSTGRES)),-DISX_WITHOUT_POSTGRES) \
	$(if $(filter 0,$(WITH_REMOTE)),-DISX_WITHOUT_REMOTE)

LIBRARY_PACKAGES := $(filter-out $(LEFT_OUT),lmdb libcurl libpq libsodium)
PACKAGES := $(LIBRARY_PACKAGES) libmicrohttpd zlib libzstd snappy
VERSION := $(shell sed -n 's/^.define ISX_VERSION *"\(.*\)"/\1/p' include/iscc_search.h)

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla
CFLAGS ?= -O2 -g
# Asked only when a recipe runs: `make test` installs the packages first.
ALL_CFLAGS = -std=gnu17 -D_GNU_SOURCE $(WARNINGS) $(WERROR) -fno-strict-aliasing -pthread \
	-Iinclude -Isrc $(WITHOUT) $(PACKAGE_CFLAGS) $(LIBRARY_CFLAGS) $(CPPFLAGS) $(CFLAGS) $(SANITIZE)
ALL_LDFLAGS = -pthread $(LDFLAGS) $(SANITIZE)
PACKAGE_CFLAGS = $(eval PACKAGE_CFLAGS := $(shell pkg-config --cflags $(PACKAGES)))$(PACKAGE_CFLAGS)
LIBS = $(eval LIBS := $(shell pkg-config --libs $(PACKAGES)) -lm)$(LIBS)
LIBRARY_LIBS = $(eval LIBRARY_LIBS := $(shell pkg-config --libs $(LIBRARY_PACKAGES)) -lm)$(LIBRARY_LIBS)

# The layers, lowest first. The library holds what other programs may link; the rest is the program.
LIBRARY_LAYERS := base iscc scan json engine storage remote similarity prefix postgres service
PROGRAM_LAYERS := parquet http cli
sources = $(filter-out $(if $(filter 0,$(WITH_POSTGRES)),src/postgres/%) \
	$(if $(filter 0,$(WITH_REMOTE)),src/remote/%), \
	$(sort $(wildcard $(addprefix src/,$(addsuffix /*.c,$(1))))))
objects = $(patsubst %.c,$(BUILD)/%.o,$(call sources,$(1)))
LIBRARY_OBJECTS := $(call objects,$(LIBRARY_LAYERS))
PROGRAM_OBJECTS := $(call objects,$(PROGRAM_LAYERS))
# What of the program unit tests and fuzz targets are linked with.
TESTED_OBJECTS := $(call objects,parquet http) $(BUILD)/src/cli/dotenv.o
LIBRARY := $(BUILD)/libiscc_search.a
# Raised by every release that a program built with the one before cannot use (include/iscc_search.h).
SONAME := libiscc_search.so.0
SHARED := $(BUILD)/$(SONAME)
PROGRAM := $(BUILD)/iscc-search

.PHONY: all
all: $(PROGRAM) $(SHARED)

-include src/http/embed.mk

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC $<")
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(LIBRARY): $(LIBRARY_OBJECTS)
	@rm -f $@
	$(if $(V),,@echo "  AR $@")
	$(Q)$(AR) rcs $@ $^

# Both libraries are made of the same objects. Only what the public headers mark with ISX_API is seen
# from outside, and calls within the library cannot be replaced from there. The library has one
# variable of 8 bytes per thread, which each allocation reads: initial-exec reads it without a call.
$(LIBRARY_OBJECTS): LIBRARY_CFLAGS := -fPIC -fvisibility=hidden -fno-semantic-interposition \
	-ftls-model=initial-exec

$(SHARED): $(LIBRARY_OBJECTS)
	$(if $(V),,@echo "  LD $@")
	$(Q)$(CC) -shared -Wl,-soname,$(SONAME) $(if $(SANITIZE),,-Wl,-z$(comma)defs) -Wl,--as-needed \
		$(ALL_LDFLAGS) -o $@ $^ $(LIBRARY_LIBS)

$(PROGRAM): $(PROGRAM_OBJECTS) $(LIBRARY)
	$(if $(V),,@echo "  LD $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# --- tests -----------------------------------------------------------------------------------------
# One program per tests/unit/test_*.c, and one per fuzz target that replays its corpus.
UNIT_SOURCES := $(sort $(wildcard tests/unit/test_*.c))
UNIT_PROGRAMS := $(UNIT_SOURCES:%.c=$(BUILD)/%)
FUZZ_SOURCES := $(sort $(wildcard fuzz/fuzz_*.c))
REPLAY_PROGRAMS := $(FUZZ_SOURCES:fuzz/fuzz_%.c=$(BUILD)/fuzz/replay_%)

$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(TESTED_OBJECTS) $(LIBRARY)
	$(if $(V),,@echo "  LD $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS) -lcmocka

$(BUILD)/fuzz/replay_%: $(BUILD)/fuzz/fuzz_%.o $(BUILD)/fuzz/replay_main.o $(TESTED_OBJECTS) $(LIBRARY)
	$(if $(V),,@echo "  LD $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

.PHONY: test check setup
setup:
	@tools/setup build test

test: setup
	@$(MAKE) --no-print-directory check

# What runs in threads of one process runs under the thread sanitizer in every check.
TSAN_FLAGS = CFLAGS="-O1 -g -fno-omit-frame-pointer" SANITIZE="-fsanitize=thread"
TSAN_UNITS := build-tsan/tests/unit/test_threads build-tsan/tests/unit/test_pool build-tsan/tests/unit/test_pass \
	build-tsan/tests/unit/test_leaves

check: $(PROGRAM) $(SHARED) $(UNIT_PROGRAMS) $(REPLAY_PROGRAMS) $(BUILD)/bench/peers/library
	$(if $(SANITIZE),,@$(MAKE) --no-print-directory BUILD=build-tsan $(TSAN_FLAGS) $(TSAN_UNITS))
	@python3 tests/run.py --build $(BUILD) $(if $(SANITIZE),,$(TSAN_UNITS:%=--tsan %))

# The unit tests and the corpora of the fuzz targets alone, which need no Python packages, servers or network.
.PHONY: check-units
check-units: $(PROGRAM) $(UNIT_PROGRAMS) $(REPLAY_PROGRAMS)
	@python3 tests/run.py --build $(BUILD) --units

.PHONY: asan tsan
asan:
	@tools/setup build test
	ASAN_OPTIONS=abort_on_error=1 UBSAN_OPTIONS=print_stacktrace=1 \
		LSAN_OPTIONS="suppressions=$(CURDIR)/tools/lsan.supp:print_suppressions=0" $(MAKE) check \
		BUILD=build-asan CFLAGS="-O1 -g -fno-omit-frame-pointer" \
		SANITIZE="-fsanitize=address,undefined -fno-sanitize-recover=all"

tsan:
	@tools/setup build test
	TSAN_OPTIONS="halt_on_error=1 suppressions=$(CURDIR)/tools/tsan.supp" $(MAKE) check \
		BUILD=build-tsan $(TSAN_FLAGS)

# What `make test` does for seconds in tests/crash and tests/postgres, for long.
.PHONY: soak
soak:
	@tools/setup build test
	@$(MAKE) --no-print-directory $(PROGRAM)
	SOAK_SECONDS=$(SOAK_SECONDS) SOAK_ROUNDS=$(SOAK_ROUNDS) DAMAGE_FILES=$(DAMAGE_FILES) \
		SOAK_SEED=$${SOAK_SEED:-$$(date +%s)} DAMAGE_SEED=$${DAMAGE_SEED:-$$(date +%s)} \
		ISCC_SEARCH_BIN=$(abspath $(PROGRAM)) \
		/usr/bin/python3 -m pytest -q -s -p no:cacheprovider tests/crash/test_soak.py \
		tests/crash/test_damage.py tests/postgres/test_pg_contract.py tests/postgres/test_pg_hosts.py

# --- fuzzing: with coverage, by clang ----------------------------------------------------------------
.PHONY: fuzz
fuzz:
	@tools/setup build fuzz
	@for target in $(FUZZ_SOURCES:fuzz/fuzz_%.c=%); do \
		$(MAKE) --no-print-directory build-fuzz/fuzz_$$target CC=clang BUILD=build-fuzz \
			CFLAGS="-O1 -g" SANITIZE="-fsanitize=fuzzer-no-link,address,undefined" && \
		mkdir -p build-fuzz/corpus/$$target fuzz/corpus/$$target && \
		build-fuzz/fuzz_$$target -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 \
			build-fuzz/corpus/$$target fuzz/corpus/$$target || exit 1; \
	done

$(BUILD)/fuzz_%: $(BUILD)/fuzz/fuzz_%.o $(TESTED_OBJECTS) $(LIBRARY)
	$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS)

# --- measurements ----------------------------------------------------------------------------------
BENCH_SOURCES := $(sort $(wildcard bench/bench_*.c))
BENCH_PROGRAMS := $(BENCH_SOURCES:%.c=$(BUILD)/%)

$(BUILD)/bench/%: $(BUILD)/bench/%.o $(LIBRARY)
	$(if $(V),,@echo "  LD $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

.PHONY: bench
bench:
	@tools/setup build
	@$(MAKE) --no-print-directory $(BENCH_PROGRAMS) $(PROGRAM)
	@for program in $(BENCH_PROGRAMS); do echo "== $$program"; $$program || exit 1; done

# Wants wrk.
.PHONY: bench-serve
bench-serve:
	@tools/setup build bench
	@$(MAKE) --no-print-directory $(PROGRAM)
	@bench/bench_serve $(PROGRAM)

.PHONY: bench-load
bench-load: $(PROGRAM)
	@ISCC_SEARCH_BIN=$(PROGRAM) bench/bench_load

# Of a server with the example assets, in a window of 390 and of 1280 pixels, light and dark.
.PHONY: screenshots
screenshots: $(PROGRAM)
	@tools/setup build test
	@/usr/bin/python3 tests/web/screenshots.py --binary $(PROGRAM) docs/pictures

# What the peers are, what is measured and how: bench/README.md.
SIZES ?= 10K 100K 1M 4M
PAIRS ?= 20K 200K
DATA ?=
BUDGET ?= 180
.PHONY: bench-peers
bench-peers:
	@tools/setup build bench
	@$(MAKE) --no-print-directory $(PROGRAM) $(BUILD)/bench/peers/library
	@bench/peers/run --program $(PROGRAM) --library $(BUILD)/bench/peers/library --sizes "$(SIZES)" \
		--pairs "$(PAIRS)" --budget $(BUDGET) $(if $(DATA),--data "$(DATA)") $(PEERS_OPTIONS)

# --- what a reader expects -------------------------------------------------------------------------
FORMATTED = $(wildcard include/*.h src/*/*.[ch] tests/unit/*.[ch] fuzz/*.c bench/*.c bench/*/*.c examples/*.c)

.PHONY: lint
lint:
	@tools/setup build test lint
	@echo "  clang-format" && clang-format --dry-run -Werror $(FORMATTED)
	@echo "  cppcheck" && cppcheck --quiet --std=c11 --error-exitcode=1 --inline-suppr --enable=warning,portability \
		--suppress=missingIncludeSystem -Iinclude -Isrc -D_GNU_SOURCE src
	$(MAKE) --no-print-directory all $(UNIT_SOURCES:%.c=build-lint-gcc/%) \
		BUILD=build-lint-gcc CC=gcc WERROR=-Werror
	$(MAKE) --no-print-directory all BUILD=build-lint-clang CC=clang WERROR=-Werror
	@tools/check_layers --build build-lint-gcc

.PHONY: demo
demo:
	@tools/setup build
	@$(MAKE) --no-print-directory all
	@tools/demo $(PROGRAM)

.PHONY: arm
arm:
	@tools/setup arm
	@mkdir -p build-arm
	aarch64-linux-gnu-gcc -std=gnu17 -D_GNU_SOURCE -O2 -static -Iinclude -Isrc -o build-arm/test_kernel \
		tests/arm/kernel_main.c src/scan/*.c
	qemu-aarch64 build-arm/test_kernel

# --- the binary interface of the library -----------------------------------------------------------
# A program that was linked with the library has to run with the next one: its functions and the layout of
# its structs are compared with those in the tree. They are those of the last release, or, as there is
# none, of the last change that was meant.
ABI_BASELINE ?= tools/abi/$(SONAME).$(shell uname -m).abi
ABI_NOW := $(BUILD)/$(SONAME).abi

.PHONY: check-abi abi-baseline
check-abi: $(ABI_NOW)
	@abidiff --no-added-syms $(ABI_BASELINE) $< && echo "  the interface of $(SONAME) is that of $(ABI_BASELINE)"

abi-baseline: $(ABI_NOW)
	cp $< $(ABI_BASELINE)

# Without where things are declared, so that it changes with the interface alone.
$(ABI_NOW): $(SHARED)
	@tools/setup build abi
	@abidw --exported-interfaces-only --headers-dir include --drop-private-types --no-elf-needed --no-show-locs \
		--no-corpus-path --no-comp-dir-path --no-parameter-names --out-file $@ $<

# --- installing ------------------------------------------------------------------------------------
# Below /usr the libraries are in the directory of the machine's architecture, where the distribution
# has one: two architectures can be installed side by side.
MULTIARCH = $(shell $(CC) -print-multiarch 2>/dev/null)
LIBDIR ?= $(PREFIX)/lib$(if $(filter /usr,$(PREFIX)),$(addprefix /,$(MULTIARCH)))
# Where the dynamic linker does not look by itself, programs are told where the library is.
RPATH = $(if $(filter /usr/lib /usr/lib/% /usr/local/lib /usr/local/lib/%,$(LIBDIR)),,-Wl$(comma)-rpath$(comma)$${libdir} )

.PHONY: install install-library
install: install-library $(PROGRAM) $(BUILD)/iscc-search.service deploy/iscc-search.sysusers \
		$(addprefix $(BUILD)/completion.,bash zsh fish)
	install -D -m 755 $(PROGRAM) $(DESTDIR)$(PREFIX)/bin/iscc-search
	install -D -m 644 docs/iscc-search.1 $(DESTDIR)$(PREFIX)/share/man/man1/iscc-search.1
	install -D -m 644 $(BUILD)/iscc-search.service $(DESTDIR)$(PREFIX)/lib/systemd/system/iscc-search.service
	install -D -m 644 deploy/iscc-search.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/iscc-search.conf
	install -D -m 644 $(BUILD)/completion.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/iscc-search
	install -D -m 644 $(BUILD)/completion.zsh $(DESTDIR)$(PREFIX)/share/zsh/$(ZSH_FOLDER)/_iscc-search
	install -D -m 644 $(BUILD)/completion.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/iscc-search.fish

# Debian's zsh reads the first of these folders below /usr, and the other one below /usr/local.
ZSH_FOLDER = $(if $(filter /usr,$(PREFIX)),vendor-completions,site-functions)

$(BUILD)/completion.%: $(PROGRAM)
	@$(PROGRAM) --show-completion $* > $@

install-library: $(LIBRARY) $(SHARED) $(BUILD)/iscc_search.pc
	install -D -m 644 $(LIBRARY) $(DESTDIR)$(LIBDIR)/libiscc_search.a
	install -D -m 644 $(SHARED) $(DESTDIR)$(LIBDIR)/libiscc_search.so.$(VERSION)
	ln -sf libiscc_search.so.$(VERSION) $(DESTDIR)$(LIBDIR)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libiscc_search.so
	install -D -m 644 include/iscc_search.h $(DESTDIR)$(PREFIX)/include/iscc_search.h
	install -D -m 644 include/iscc.h $(DESTDIR)$(PREFIX)/include/iscc.h
	install -D -m 644 $(BUILD)/iscc_search.pc $(DESTDIR)$(LIBDIR)/pkgconfig/iscc_search.pc

.PHONY: $(BUILD)/iscc_search.pc
$(BUILD)/iscc_search.pc:
	@mkdir -p $(@D)
	@printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$(patsubst $(PREFIX)/%,$${prefix}/%,$(LIBDIR))' \
		'includedir=$${prefix}/include' '' 'Name: iscc_search' \
		'Description: exact similarity search of ISCC codes' 'Version: $(VERSION)' \
		'Requires.private: $(LIBRARY_PACKAGES)' 'Cflags: -I$${includedir}' \
		'Libs: -L$${libdir} $(RPATH)-liscc_search' 'Libs.private: -pthread -lm' > $@

.PHONY: $(BUILD)/iscc-search.service
$(BUILD)/iscc-search.service: deploy/iscc-search.service
	@mkdir -p $(@D)
	@sed -e 's|/usr/local/bin/|$(PREFIX)/bin/|' $< > $@

# --- releases --------------------------------------------------------------------------------------
# Both are made of the last commit, and of nothing else in the tree: the same commit gives the same bytes.
RELEASE := iscc-search-$(VERSION)
DIST := $(BUILD)/dist/$(RELEASE).tar.xz

.PHONY: dist deb
dist:
	@git rev-parse --verify --quiet HEAD >/dev/null || \
		{ echo "make dist: expected a git checkout, whose last commit is packed" >&2; exit 1; }
	@[ -z "$$(git status --porcelain)" ] || echo "make dist: changes that are not committed are left out" >&2
	@mkdir -p $(dir $(DIST))
	git archive --format=tar --prefix=$(RELEASE)/ HEAD | xz -9 -T1 > $(DIST)
	cd $(dir $(DIST)) && sha256sum $(notdir $(DIST)) > $(notdir $(DIST)).sha256

deb: dist
	@tools/setup build deb
	rm -rf $(BUILD)/deb && mkdir -p $(BUILD)/deb && tar -C $(BUILD)/deb -xf $(DIST)
	cd $(BUILD)/deb/$(RELEASE) && dpkg-buildpackage -us -uc
	lintian --fail-on error $(BUILD)/deb/iscc-search_*.changes
	@ls $(BUILD)/deb/*.deb

.PHONY: clean
clean:
	rm -rf build build-*

-include $(LIBRARY_OBJECTS:.o=.d) $(PROGRAM_OBJECTS:.o=.d) $(UNIT_PROGRAMS:=.d) $(BENCH_PROGRAMS:=.d)
.SECONDARY:
