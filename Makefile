# Build, test and measure iscc-search. `make help` lists what there is.
PREFIX ?= /usr/local
DESTDIR ?=
CC ?= cc
AR ?= ar
BUILD ?= build
PYTHON ?= python3

PACKAGES := lmdb json-c libmicrohttpd libcurl libsodium
VERSION := $(shell sed -n 's/^\#define ISX_VERSION "\(.*\)"/\1/p' src/base/limits.h)

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla
CFLAGS ?= -O2 -g
ALL_CFLAGS := -std=gnu17 -D_GNU_SOURCE $(WARNINGS) $(WERROR) -fno-strict-aliasing -pthread -Iinclude -Isrc \
	$(shell pkg-config --cflags $(PACKAGES) 2>/dev/null) $(CFLAGS) $(SANITIZE)
ALL_LDFLAGS := -pthread $(LDFLAGS) $(SANITIZE)
LIBS = $(shell pkg-config --libs $(PACKAGES)) -lm

# The layers, lowest first. The library holds what other programs may link; the rest is the program.
LIBRARY_LAYERS := base iscc scan json net index service
PROGRAM_LAYERS := http cli
sources = $(sort $(wildcard $(addprefix src/,$(addsuffix /*.c,$(1)))))
objects = $(patsubst %.c,$(BUILD)/%.o,$(call sources,$(1)))
LIBRARY_OBJECTS := $(call objects,$(LIBRARY_LAYERS))
PROGRAM_OBJECTS := $(call objects,$(PROGRAM_LAYERS))
LIBRARY := $(BUILD)/libiscc_search.a
PROGRAM := $(BUILD)/iscc-search

.PHONY: all
all: $(PROGRAM)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(LIBRARY): $(LIBRARY_OBJECTS)
	@rm -f $@
	$(AR) rcs $@ $^

$(PROGRAM): $(PROGRAM_OBJECTS) $(LIBRARY)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# --- tests in C: one program per tests/unit/test_*.c, with cmocka -------------------------------
UNIT_SOURCES := $(sort $(wildcard tests/unit/test_*.c))
UNIT_PROGRAMS := $(UNIT_SOURCES:%.c=$(BUILD)/%)

$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(LIBRARY)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS) -lcmocka

.PHONY: unit
unit: $(UNIT_PROGRAMS)
	@for program in $(UNIT_PROGRAMS); do $$program || exit 1; done

# --- fuzzing: a target per parser of outside bytes ------------------------------------------------
FUZZ_SOURCES := $(sort $(wildcard fuzz/fuzz_*.c))

# --- measurements ----------------------------------------------------------------------------------
BENCH_SOURCES := $(sort $(wildcard bench/bench_*.c))
BENCH_PROGRAMS := $(BENCH_SOURCES:%.c=$(BUILD)/%)

$(BUILD)/bench/%: $(BUILD)/bench/%.o $(LIBRARY)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

.PHONY: clean
clean:
	rm -rf build build-*

-include $(LIBRARY_OBJECTS:.o=.d) $(PROGRAM_OBJECTS:.o=.d) $(UNIT_PROGRAMS:=.d) $(BENCH_PROGRAMS:=.d)
