# Maya. `make` builds, `make run` serves, `make test` tests; `make help` lists the rest.
# SAN=address,undefined builds into a folder of its own; CC=clang works as well as gcc; V=1
# shows the commands. On Debian 12 `make run` and `make test` install what they lack.

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

PKGS := libuv sqlite3 libsodium jansson yaml-0.1 libpcre2-8 libmd
# libcurl is loaded by those who need it (src/base/curl.h), not linked; and so are the libraries
# of the voice (src/voice/library.c).
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) libcurl espeak-ng libopusenc 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null)
# The distribution's Python is the one that has its pytest.
PYTHON ?= $(firstword $(wildcard /usr/bin/python3) python3)
JOBS ?= $(shell nproc 2>/dev/null || echo 2)

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wpointer-arith -Wwrite-strings -Wcast-qual -Wvla -Wundef -Wformat=2 \
	-Wimplicit-fallthrough $(if $(WERROR),-Werror)
# Sanitizers see as much at -O1, which compiles in half of the time.
CFLAGS ?= $(if $(SAN),-O1,-O2) -g
CPPFLAGS_ALL := -D_GNU_SOURCE -DMAYA_VERSION='"$(VERSION)"' -DMAYA_PREFIX='"$(PREFIX)"' -Isrc \
	$(if $(SAN),,-D_FORTIFY_SOURCE=2)
CFLAGS_ALL = -std=c11 $(CFLAGS) $(WARN) -fstack-protector-strong -fno-omit-frame-pointer \
	$(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all) $(PKG_CFLAGS)
LDFLAGS_ALL = $(if $(SAN),-fsanitize=$(SAN)) -rdynamic -pthread
LIBS = $(PKG_LIBS) -lwslay -lm

# Lowest layer last, as the linker wants it; the order comes from src/LAYERS.
LAYERS := $(shell awk '!/^\#/ && NF { for (i = NF; i > 1; i--) print $$i }' src/LAYERS | tac)
# Documents printed by `maya docs NAME`.
DOCS := api commands config deploy-yaml errors metrics
FOLDERS := $(foreach d,$(LAYERS),$(if $(wildcard src/$(d)/*.c),$(d)))
ARCHIVES := $(foreach d,$(FOLDERS),$(B)/lib/$(d).a)
SAID := $(patsubst src/%.c,$(B)/obj/%.said,src/main.c $(wildcard $(FOLDERS:%=src/%/*.c))) \
	$(patsubst src/image/silent/%.c,$(B)/silent/lib%.said,$(wildcard src/image/silent/*.c))

.PHONY: all
all: $(SAID) $(B)/maya ## build build/maya

include test/test.mk

.PHONY: run
run: deps ## install what the build needs, build, and serve (ARGS="--port 8080")
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@exec $(B)/maya serve $(ARGS)

.PHONY: deps
deps: ## install the packages the build needs (tools/packages)
	@tools/deps.sh build

.PHONY: docs
docs: $(B)/maya ## rewrite the documents that are made from tables
	@for d in $(DOCS); do $(B)/maya docs $$d > docs/$$d.md && echo docs/$$d.md || exit 1; done

DESTDIR ?=
INSTALL ?= install
SHARE := $(DESTDIR)$(PREFIX)/share
DATA := $(SHARE)/maya
DOCDIR := $(DESTDIR)$(PREFIX)/share/doc/maya
.PHONY: install
install: all ## install below PREFIX (/usr/local), with DESTDIR in front
	$(Q)$(INSTALL) -d $(DESTDIR)$(PREFIX)/bin $(DOCDIR) $(DESTDIR)$(PREFIX)/lib/systemd/system
	$(Q)$(INSTALL) -m 755 $(B)/maya $(DESTDIR)$(PREFIX)/bin/maya
	$(Q)$(INSTALL) -D -m 644 src/cli/shell/maya.bash $(SHARE)/bash-completion/completions/maya
	$(Q)$(INSTALL) -D -m 644 src/cli/shell/maya.zsh $(SHARE)/zsh/site-functions/_maya
	$(Q)$(INSTALL) -D -m 644 src/cli/shell/maya.fish $(SHARE)/fish/vendor_completions.d/maya.fish
	$(Q)for f in $$(cd agents 2>/dev/null && find . -type f); do \
		$(INSTALL) -D -m 644 agents/$$f $(DATA)/agents/$$f || exit 1; done
	$(Q)$(INSTALL) -m 644 $(wildcard README.md ARCHITECTURE.md docs/*.md) $(DOCDIR)
	$(Q)sed 's|@PREFIX@|$(PREFIX)|' tools/maya.service \
		> $(DESTDIR)$(PREFIX)/lib/systemd/system/maya.service

.PHONY: uninstall
uninstall: ## remove what install put there
	$(Q)rm -rf $(DATA) $(DOCDIR)
	$(Q)rm -f $(SHARE)/bash-completion/completions/maya $(SHARE)/zsh/site-functions/_maya \
		$(SHARE)/fish/vendor_completions.d/maya.fish
	$(Q)rm -f $(DESTDIR)$(PREFIX)/bin/maya $(DESTDIR)$(PREFIX)/lib/systemd/system/maya.service

.PHONY: format
format: ## clang-format every C file
	$(Q)find src test -name '*.[ch]' -print0 | xargs -0 clang-format -i

.PHONY: clean
clean: ## remove build/
	$(Q)rm -rf build

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z%A-Z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

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

# What a compiler says is seen and kept beside what it makes, for `make remarks`.
keep = 2>$(1); status=$$?; cat $(1) >&2; exit $$status

$(B)/obj/%.o $(B)/obj/%.said: src/%.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c -o $(B)/obj/$*.o $< \
		$(call keep,$(B)/obj/$*.said)

$(B)/obj/%.S.o: src/%.S $(wildcard web/* src/*/shell/*) $(B)/flags
	@mkdir -p $(@D)
	$(call say,AS,$<)
	$(Q)$(CC) $(CPPFLAGS_ALL) -DMAYA_SILENT_PCAUDIO='"$(B)/silent/libpcaudio.so.0"' -MMD -MP -c -o $@ $<

# Shared libraries that do nothing, for images (src/image/program.c).
$(B)/silent/lib%.so.0 $(B)/silent/lib%.said: src/image/silent/%.c
	@mkdir -p $(@D)
	$(call say,LIB,$(B)/silent/lib$*.so.0)
	$(Q)$(CC) -std=c11 -Os $(WARN) -fPIC -shared -nostdlib -Wl,-soname,lib$*.so.0 -Wl,--build-id=none \
		-Wl,-z,noseparate-code -s -o $(B)/silent/lib$*.so.0 $< $(call keep,$(B)/silent/lib$*.said)
$(B)/obj/image/silent.S.o: $(B)/silent/libpcaudio.so.0

# A change of compiler, flags or version rebuilds everything.
FLAGS_NOW = $(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL)
$(B)/flags: FORCE
	@$(if $(PKG_LIBS),,echo "Libraries are missing: make deps installs them." >&2; exit 1)
	@mkdir -p $(@D)
	@echo '$(subst ','\'',$(FLAGS_NOW))' | cmp -s - $@ || \
		echo '$(subst ','\'',$(FLAGS_NOW))' > $@
FORCE:

-include $(shell find $(B)/obj $(B)/unit $(B)/fuzz $(B)/test $(B)/bench -type f -name '*.d' 2>/dev/null)
