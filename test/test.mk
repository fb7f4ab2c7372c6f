# Tests. A unit test test/unit/<folder>/<name>.c includes the source it tests and is linked
# with its own folder and the layers below it, so a broken upper layer never hides a result.

UNIT_SRC := $(wildcard test/unit/*/*.c)
UNIT_BIN := $(patsubst test/%.c,$(B)/%.t,$(UNIT_SRC))

# The folders from $(1) downwards, in link order.
below = $(shell awk -v me=$(1) '!/^\#/ && NF { for (i = 2; i <= NF; i++) { l[$$i] = $$1; o[++n] = $$i } } \
	END { for (i = n; i > 0; i--) if (o[i] == me || l[o[i]] < l[me]) print o[i] }' src/LAYERS)
test_archives = $(foreach d,$(filter $(FOLDERS),$(call below,$(1))),$(B)/lib/$(d).a)

define unit_rule
$(patsubst test/%.c,$(B)/%.t,$(1)): $(1) test/unit/tap.h $$(call test_archives,$(notdir $(patsubst %/,%,$(dir $(1))))) $(B)/flags
	@mkdir -p $$(@D)
	$$(call say,TEST,$$@)
	$$(Q)$$(CC) $$(CPPFLAGS_ALL) $$(CFLAGS_ALL) -Itest -MMD -MP -MF $$@.d $$(LDFLAGS_ALL) -o $$@ $(1) \
		$$(call test_archives,$(notdir $(patsubst %/,%,$(dir $(1))))) $$(LIBS)
endef
$(foreach t,$(UNIT_SRC),$(eval $(call unit_rule,$(t))))

.PHONY: test-unit
test-unit: $(UNIT_BIN)
	@python3 tools/tap.py $(UNIT_BIN)
