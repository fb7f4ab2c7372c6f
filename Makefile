# Maya. `make` builds, `make run` serves, `make test` tests; `make help` lists the rest.
# SAN=address,undefined builds into a folder of its own; CC=clang works as well as gcc.

CC ?= gcc
ifeq ($(origin CC),default)
CC := gcc
endif
SAN ?=
V ?=
Q := $(if $(V),,@)
say = $(if $(V),,@printf "  %-5s %s\n" $(1) $(2))
B := build$(if $(SAN),/san)$(if $(filter clang%,$(notdir $(CC))),/clang)
VERSION := $(shell cat VERSION)
PREFIX ?= /usr/local

PKGS := libuv sqlite3 libsodium jansson yaml-0.1 libpcre2-8 libcurl
PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS))
PKG_LIBS = $(shell pkg-config --libs $(PKGS))

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wpointer-arith -Wwrite-strings -Wcast-qual -Wvla -Wundef -Wformat=2 \
	-Wimplicit-fallthrough $(if $(WERROR),-Werror)
CFLAGS ?= -O2 -g
CPPFLAGS_ALL := -D_GNU_SOURCE -DMAYA_VERSION='"$(VERSION)"' -DMAYA_PREFIX='"$(PREFIX)"' -Isrc \
	$(if $(SAN),,-D_FORTIFY_SOURCE=2)
CFLAGS_ALL = -std=c11 $(CFLAGS) $(WARN) -fstack-protector-strong -fno-omit-frame-pointer \
	$(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all) $(PKG_CFLAGS)
LDFLAGS_ALL = $(if $(SAN),-fsanitize=$(SAN)) -rdynamic -pthread
LIBS = $(PKG_LIBS) -lm

# Lowest layer last, as the linker wants it; the order comes from src/LAYERS.
LAYERS := $(shell awk '!/^\#/ && NF { for (i = NF; i > 1; i--) print $$i }' src/LAYERS | tac)
FOLDERS := $(foreach d,$(LAYERS),$(if $(wildcard src/$(d)/*.c),$(d)))
ARCHIVES := $(foreach d,$(FOLDERS),$(B)/lib/$(d).a)

.PHONY: all
all: $(B)/maya

$(B)/maya: $(B)/obj/main.o $(ARCHIVES)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $< $(ARCHIVES) $(LIBS)

define folder_rules
$(B)/lib/$(1).a: $(patsubst src/%.c,$(B)/obj/%.o,$(wildcard src/$(1)/*.c)) \
		$(patsubst src/%.S,$(B)/obj/%.S.o,$(wildcard src/$(1)/*.S))
	@mkdir -p $$(@D)
	@rm -f $$@
	@ar rcs $$@ $$^
endef
$(foreach d,$(FOLDERS),$(eval $(call folder_rules,$(d))))

$(B)/obj/%.o: src/%.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(B)/obj/%.S.o: src/%.S $(wildcard web/*) $(B)/flags
	@mkdir -p $(@D)
	$(call say,AS,$<)
	$(Q)$(CC) $(CPPFLAGS_ALL) -MMD -MP -c -o $@ $<

# A change of compiler, flags or version rebuilds everything.
FLAGS_NOW = $(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL)
$(B)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(subst ','\'',$(FLAGS_NOW))' | cmp -s - $@ || \
		echo '$(subst ','\'',$(FLAGS_NOW))' > $@
FORCE:

-include $(shell find $(B) -name '*.d' 2>/dev/null)
include test/test.mk
