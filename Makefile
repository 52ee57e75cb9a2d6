# fetchd - GNU make.  `make help` says what can be made.
#
# Sources are found, not listed: common/*.c, server/*.c and server/*/*.c make the
# server, each tests/unit/test_*.c makes one test program.  Everything that is made
# lies under $(BUILD).  A change of compiler or flags rebuilds what it touches.

VERSION = 0.1.0

# SAN=address,undefined makes the sanitizer build, in a directory of its own.
SAN    ?=
BUILD  ?= $(if $(SAN),build-san,build)
PREFIX ?= /usr/local
SYSCONFDIR ?= $(if $(filter /usr /usr/local,$(PREFIX)),/etc,$(PREFIX)/etc)
DOCDIR ?= $(PREFIX)/share/doc/fetchd
RUNDIR ?= /run/fetchd
LOGDIR ?= /var/log/fetchd
UNITDIR ?= $(if $(filter /usr,$(PREFIX)),/lib/systemd/system,$(SYSCONFDIR)/systemd/system)
SYSUSERSDIR ?= $(if $(filter /usr,$(PREFIX)),/usr/lib/sysusers.d,$(SYSCONFDIR)/sysusers.d)
TMPFILESDIR ?= $(if $(filter /usr,$(PREFIX)),/usr/lib/tmpfiles.d,$(SYSCONFDIR)/tmpfiles.d)
PYTHON ?= /usr/bin/python3
ifeq ($(origin CC),default)
CC = gcc
endif

ifneq ($(words $(BUILD)),1)
$(error BUILD="$(BUILD)" must be one directory name without blanks (the checkout \
    itself may lie anywhere))
endif

# ---- flags: CFLAGS, CPPFLAGS and LDFLAGS are the caller's ------------------------

CFLAGS ?= $(if $(SAN),-O1,-O2) -g
# What the Makefile is asked for besides these needs the libraries.
NO_BUILD := clean help format uninstall deps lint-layers lint-size lint-words \
            lint-scripts lint-format

PACKAGES := libmariadb libevent_core libconfuse openssl
ifneq ($(if $(MAKECMDGOALS),$(filter-out $(NO_BUILD),$(MAKECMDGOALS)),all),)
ifneq ($(shell pkg-config --exists $(PACKAGES) 2>/dev/null && echo yes),yes)
$(error pkg-config does not find all of "$(PACKAGES)": run scripts/deps build)
endif
# Other people's headers are system headers: our warnings are not for them.
PKG_CFLAGS := $(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(PACKAGES)))
PKG_LIBS   := $(shell pkg-config --libs $(PACKAGES))
MACHINE    := $(shell $(CC) -dumpmachine)
endif

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wold-style-definition -Wpointer-arith -Wwrite-strings -Wundef \
            -Wformat=2 -Werror=format-security -Werror=switch \
            $(if $(filter-out 0,$(WERROR)),-Werror)
HARDENING := -fPIE -fstack-protector-strong -fno-omit-frame-pointer \
             $(if $(filter x86_64%,$(MACHINE)),-fstack-clash-protection -fcf-protection)
HARDENING_LD := -pie -Wl,-z,relro,-z,now,-z,noexecstack,--as-needed
ifeq ($(SAN),)
HARDENING += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
else
SANITIZE := -fsanitize=$(SAN) -fno-sanitize-recover=all
endif

# Asserts stay on: nothing here ever says -DNDEBUG.
ALL_CFLAGS  = -std=c11 -D_GNU_SOURCE -DFETCHD_VERSION='"$(VERSION)"' -I. $(PKG_CFLAGS) \
              $(WARNINGS) $(HARDENING) $(SANITIZE) $(CPPFLAGS) $(CFLAGS)
ALL_LDFLAGS = $(HARDENING_LD) $(SANITIZE) $(CFLAGS) $(LDFLAGS)

ifeq ($(V),1)
Q :=
SAY := @:
else
Q := @
SAY := @echo
endif

# ---- what there is ---------------------------------------------------------------

SOURCES := $(sort $(wildcard common/*.c server/*.c server/*/*.c))
HEADERS := $(sort $(wildcard common/*.h server/*.h server/*/*.h))
UNIT    := $(sort $(wildcard tests/unit/*.c))
LOAD    := $(sort $(wildcard tests/load/*.c))
FUZZ    := $(sort $(wildcard tests/fuzz/*.c))
BENCH   := $(sort $(wildcard tests/bench/*.c))
C_FILES := $(SOURCES) $(HEADERS) $(UNIT) $(LOAD) $(FUZZ) $(BENCH) \
           $(sort $(wildcard tests/*.h tests/unit/*.h tests/load/*.h tests/fuzz/*.h tests/bench/*.h))

OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o)
LIBRARY := $(filter-out $(BUILD)/server/main.o,$(OBJECTS))
COMMON  := $(filter $(BUILD)/common/%,$(OBJECTS))
HELPERS := $(patsubst %.c,$(BUILD)/%.o,$(filter-out tests/unit/test_%,$(UNIT)))
TESTS   := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(filter tests/unit/test_%,$(UNIT)))
LOAD_OBJECTS := $(LOAD:%.c=$(BUILD)/%.o)
LOAD_PARTS   := $(filter-out %/loadgen.o,$(LOAD_OBJECTS))
FUZZ_TARGETS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,\
                           $(filter-out %/fuzz_driver.c,$(FUZZ)))
BENCHES      := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(BENCH))
ALL_OBJECTS  := $(OBJECTS) $(UNIT:%.c=$(BUILD)/%.o) $(LOAD_OBJECTS) $(FUZZ:%.c=$(BUILD)/%.o) \
                $(BENCH:%.c=$(BUILD)/%.o)

.PHONY: all all-tests loadgen bench test test-unit test-integration fuzz fuzz-targets fuzz-run \
        lint install uninstall clean format help deps seeded FORCE
.DELETE_ON_ERROR:
.SECONDARY:

all: $(BUILD)/fetchd
loadgen: $(BUILD)/loadgen
bench: $(BENCHES)
all-tests: all $(TESTS) $(BENCHES) $(if $(LOAD),loadgen)

# ---- making it -------------------------------------------------------------------

# A stamp is rewritten only when its text changes, so what depends on it is made
# again exactly then.  $(call stamp,text)
stamp = @mkdir -p $(@D); printf '%s\n' '$(subst ','\'',$(1))' | cmp -s - $@ || \
        printf '%s\n' '$(subst ','\'',$(1))' > $@

$(BUILD)/flags: FORCE
	$(call stamp,$(CC) $(ALL_CFLAGS) | $(ALL_LDFLAGS) $(PKG_LIBS))
$(BUILD)/objects: FORCE
	$(call stamp,$(OBJECTS) $(HELPERS) $(LOAD_OBJECTS))

$(ALL_OBJECTS): $(BUILD)/%.o: %.c $(BUILD)/flags
	$(SAY) "  CC $<"
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/libfetchd.a: $(LIBRARY) $(BUILD)/objects
	$(SAY) "  AR $@"
	@rm -f $@
	$(Q)$(AR) rcs $@ $(LIBRARY)

$(BUILD)/fetchd: $(OBJECTS) $(BUILD)/objects
	$(SAY) "  LD $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(OBJECTS) $(PKG_LIBS)

$(BUILD)/libload.a: $(LOAD_PARTS) $(BUILD)/objects
	$(SAY) "  AR $@"
	@rm -f $@
	$(Q)$(AR) rcs $@ $(LOAD_PARTS)

$(TESTS): $(BUILD)/tests/%: $(BUILD)/tests/unit/%.o $(HELPERS) $(BUILD)/libload.a \
          $(BUILD)/libfetchd.a
	$(SAY) "  LD $@"
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $< $(HELPERS) $(BUILD)/libload.a \
	    $(BUILD)/libfetchd.a $(PKG_LIBS) -lcmocka -lm

$(BUILD)/loadgen: $(LOAD_OBJECTS) $(COMMON) $(BUILD)/objects
	$(SAY) "  LD $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(LOAD_OBJECTS) $(COMMON) $(PKG_LIBS) -lpthread -lm

# Each is a program to run by hand: what a part costs, how well it does.
$(BENCHES): $(BUILD)/bench/%: $(BUILD)/tests/bench/%.o $(BUILD)/libfetchd.a
	$(SAY) "  LD $@"
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) -lm

-include $(ALL_OBJECTS:.o=.d)

# ---- tests -----------------------------------------------------------------------

test: test-unit test-integration

test-unit: $(TESTS)
	@scripts/run-unit $(BUILD)/logs/unit $(TESTS)

# PYTEST_ARGS narrows it down: make test-integration PYTEST_ARGS='-k ping'
test-integration: all-tests
	@FETCHD_BIN="$$(realpath $(BUILD)/fetchd)" PYTHONDONTWRITEBYTECODE=1 \
	    $(PYTHON) -m pytest -q -n 2 --dist loadscope -p no:cacheprovider \
	    tests/integration $(PYTEST_ARGS)

# ---- the server with mistakes that can be switched on: see server/cache/seeded.h ---------

seeded: # FETCHD_SEEDED_BUG=name build-seeded/fetchd makes one of them
	+@$(MAKE) --no-print-directory BUILD=$(BUILD)-seeded CFLAGS='-O1 -g' \
	    CPPFLAGS='$(CPPFLAGS) -DFETCHD_SEEDED_BUGS' all

# ---- fuzzing: each tests/fuzz/fuzz_<name>.c is a target, clang's libFuzzer drives it ----

FUZZ_SECONDS ?= 60

# Everything is built anew with clang and its coverage, in a directory of its own.
FUZZ_MAKE = $(MAKE) --no-print-directory CC=clang BUILD=$(BUILD)-fuzz \
            SAN=fuzzer-no-link,address,undefined

fuzz: # FUZZ_SECONDS for each target
	+@$(FUZZ_MAKE) fuzz-run

fuzz-targets: $(FUZZ_TARGETS)
fuzz-run: $(FUZZ_TARGETS)
	@scripts/run-fuzz $(BUILD)/fuzz $(FUZZ_SECONDS) $(FUZZ_TARGETS)

$(FUZZ_TARGETS): $(BUILD)/fuzz/%: $(BUILD)/tests/fuzz/%.o $(BUILD)/tests/fuzz/fuzz_driver.o \
                 $(BUILD)/libfetchd.a
	$(SAY) "  LD $@"
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(PKG_LIBS)

# ---- checks: each has one summary line and findings of the form file:line: ... ----

LINT := layers headers size words scripts format cppcheck options

lint: # all of them, even after one has found something
	@$(MAKE) -k --no-print-directory $(LINT:%=lint-%)

.PHONY: $(LINT:%=lint-%)
lint-layers lint-size lint-words lint-scripts: lint-%:
	@scripts/check-$*
lint-headers:
	@scripts/check-headers $(CC) $(ALL_CFLAGS)
lint-options: $(BUILD)/fetchd
	@scripts/check-options $(BUILD)/fetchd etc/fetchd.conf
lint-format:
	@scripts/check-format $(C_FILES)
lint-cppcheck: # leaks are the sanitizers' to find: cppcheck sees them where none are
	@mkdir -p $(BUILD)/cppcheck
	@cppcheck --quiet --std=c11 --enable=warning,portability --inline-suppr \
	    --error-exitcode=1 --library=posix,gnu \
	    --suppress=missingIncludeSystem --suppress=memleak \
	    --cppcheck-build-dir=$(BUILD)/cppcheck -j 2 -D_GNU_SOURCE -D__linux__ \
	    -DFETCHD_VERSION='"$(VERSION)"' -I. $(SOURCES) $(LOAD) || \
	    { echo "cppcheck: $(words $(SOURCES) $(LOAD)) files, see above"; exit 1; }
	@echo "cppcheck: $(words $(SOURCES) $(LOAD)) files, ok"

format: # rewrites the C files in place
	clang-format -i $(C_FILES)

# ---- installing ------------------------------------------------------------------

TREE := DESTDIR='$(DESTDIR)' $(foreach v,PREFIX SYSCONFDIR DOCDIR RUNDIR LOGDIR UNITDIR \
        SYSUSERSDIR TMPFILESDIR,$(v)='$($(v))') scripts/install-tree

install: $(BUILD)/fetchd
	@$(TREE) install $(BUILD)/fetchd

uninstall: # a changed configuration file stays
	@$(TREE) uninstall $(BUILD)/fetchd

deps:
	@scripts/deps build

clean:
	rm -rf build build-san build-clang build-fuzz build-seeded $(filter-out . .. /,$(BUILD))

help:
	@echo "make                  the server, $(BUILD)/fetchd (V=1: show commands)"
	@echo "make test             unit and integration tests; also: test-unit, test-integration"
	@echo "make seeded           a server with mistakes to switch on, $(BUILD)-seeded/fetchd"
	@echo "make fuzz             fuzzes each parser for FUZZ_SECONDS=60"
	@echo "make lint             all checks; one alone: $(LINT:%=lint-%)"
	@echo "make loadgen          the load generator, $(BUILD)/loadgen"
	@echo "make bench            programs that measure a part alone, $(BUILD)/bench/"
	@echo "make all-tests        builds server, tests and load generator, runs nothing"
	@echo "make install          DESTDIR= PREFIX=$(PREFIX) SYSCONFDIR=$(SYSCONFDIR); uninstall"
	@echo "make format | clean   clang-format in place | remove what was built"
	@echo "Variables: CC=clang  SAN=address,undefined  WERROR=1  BUILD=dir  CFLAGS  LDFLAGS"
