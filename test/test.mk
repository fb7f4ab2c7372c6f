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

.PHONY: test
test: ## everything: units, end to end, sanitizers, fuzz regressions, checks
	@tools/deps.sh build test
	@$(PYTHON) tools/run-tests.py -j $(JOBS)

.PHONY: test-unit
test-unit: $(UNIT_BIN) ## unit tests (SAN=address,undefined: with sanitizers)
	@$(PYTHON) tools/tap.py $(UNIT_BIN)

# Arguments for pytest: make test-e2e E2E="-k sse -x"
E2E ?= test/e2e
# More than there are cores, since most tests wait most of the time.
WORKERS ?= $(shell expr $(JOBS) + 1)
E2E_ENV = MAYA_BIN=$(abspath $(B)/maya) MAYA_PROBE=$(abspath $(B)/test/probe_server) \
	MAYA_FAIL_ALLOC=$(abspath $(B)/test/fail_alloc.so) MAYA_APP_SERVER=$(abspath $(B)/test/app_server) \
	MAYA_AHEAD=$(abspath $(B)/test/maya_ahead)
.PHONY: test-e2e
test-e2e: all $(B)/test/probe_server $(B)/test/fail_alloc.so $(B)/test/app_server $(B)/test/maya_ahead ## tests of the running program (E2E="-k sse": some of them)
	@$(E2E_ENV) $(PYTHON) -B -m pytest -q -p no:cacheprovider --rootdir test/e2e -n $(WORKERS) --dist loadfile \
		$(if $(filter test/e2e%,$(E2E)),,test/e2e) $(E2E)

# After the other tests of the running program, since they would take its time.
.PHONY: test-people
test-people: all $(B)/test/app_server ## a thousand people talk while everything behind the gateway is changed
	@$(E2E_ENV) PYTHONPATH=test/e2e:test/people $(PYTHON) -B -m pytest -q -p no:cacheprovider test/people

# What somebody else wrote: a mock server (test_minds_peer.py) and the vendors' SDKs
# (test_minds_sdk.py); without them those tests are skipped.
.PHONY: peers
peers: ## install the mock server and SDKs that some tests talk to (needs npm and pip)
	@$(PYTHON) -m pip install -q --disable-pip-version-check --root-user-action=ignore --upgrade \
		--target build/peers/python openai==3.57.0 google-genai==3.6.1
	@npm install --no-fund --no-audit --ignore-scripts --prefix build/peers @copilotkit/aimock@1.43.0 \
		@cartesia/cartesia-js@4.2.0 ws@8

.PHONY: test-san
test-san: ## unit and end-to-end tests with ASan and UBSan
	@$(MAKE) --no-print-directory SAN=address,undefined test-unit
	@$(MAKE) --no-print-directory SAN=address,undefined test-e2e

# test/fuzz/<name>.c defines LLVMFuzzerTestOneInput(). Inputs: test/fuzz/corpus/<name>/ to start
# from, test/fuzz/regression/<name>/ for all that ever failed; test-fuzz runs both as tests.
FUZZ_NAMES := $(filter-out driver,$(patsubst test/fuzz/%.c,%,$(wildcard test/fuzz/*.c)))
FUZZ_SECONDS ?= 60

$(FUZZ_NAMES:%=$(B)/fuzz/%): $(B)/fuzz/%: test/fuzz/%.c test/fuzz/driver.c $(ARCHIVES) $(B)/flags
	@mkdir -p $(@D)
	$(call say,FUZZ,$@)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -Wno-missing-prototypes -Itest -MMD -MP -MF $@.d \
		$(LDFLAGS_ALL) $(if $(findstring fuzzer,$(SAN)),-fsanitize=fuzzer) -o $@ $< \
		$(if $(findstring fuzzer,$(SAN)),,test/fuzz/driver.c) $(ARCHIVES) $(LIBS)

.PHONY: test-fuzz
test-fuzz: $(FUZZ_NAMES:%=$(B)/fuzz/%) ## run every stored fuzz input once
	@$(PYTHON) tools/tap.py $(foreach n,$(FUZZ_NAMES),"$(B)/fuzz/$(n) \
		$(wildcard test/fuzz/corpus/$(n)) $(wildcard test/fuzz/regression/$(n))")

# What libFuzzer finds is kept below build/; what fails is written to test/fuzz/regression/.
fuzz-%: ## fuzz test/fuzz/%.c with libFuzzer for FUZZ_SECONDS=60
	@$(MAKE) --no-print-directory CC=clang SAN=fuzzer-no-link,address,undefined B=build/fuzz \
		build/fuzz/fuzz/$*
	@mkdir -p build/fuzz/corpus/$* test/fuzz/corpus/$* test/fuzz/regression/$*
	@build/fuzz/fuzz/$* -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 \
		-print_final_stats=1 -artifact_prefix=test/fuzz/regression/$*/ \
		$(addprefix -dict=,$(wildcard test/fuzz/$*.dict)) \
		build/fuzz/corpus/$* test/fuzz/corpus/$* test/fuzz/regression/$*

.PHONY: remarks
remarks: all ## fail when the compiler remarked anything on what is built
	@! cat $(SAID) | grep .

.PHONY: check
check: ## format, layers, names, sizes, headers, documents, static analysis, warnings
	@$(PYTHON) tools/check.py -j $(JOBS) $(CHECKS)

# test/bench/<name>.c: measurements without HTTP, run by bench.py.
BENCH_BIN := $(patsubst test/bench/%.c,$(B)/bench/%,$(wildcard test/bench/*.c))
$(BENCH_BIN): $(B)/bench/%: test/bench/%.c $(ARCHIVES) $(B)/flags
	@mkdir -p $(@D)
	$(call say,BENCH,$@)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -Itest -MMD -MP -MF $@.d $(LDFLAGS_ALL) -o $@ $< \
		$(ARCHIVES) $(LIBS)

.PHONY: bench
bench: all $(BENCH_BIN) $(B)/unit/store/faults.t ## measure (BENCH="--only memory": a part of it)
	@tools/deps.sh bench
	@$(PYTHON) -B test/bench/bench.py --maya $(B)/maya $(BENCH)

# The probe of net/: one page for each behaviour of the HTTP server (test/e2e/test_http.py).
$(B)/test/probe_server: test/e2e/probe_server.c $(call test_archives,net) $(B)/flags
	@mkdir -p $(@D)
	$(call say,TEST,$@)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -MF $@.d $(LDFLAGS_ALL) -o $@ $< \
		$(call test_archives,net) $(LIBS)

# Stands in front of malloc and refuses what a test wants refused (test/e2e/test_alloc.py).
$(B)/test/fail_alloc.so: test/e2e/fail_alloc.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,TEST,$@)
	$(Q)$(CC) -std=c11 $(CFLAGS) $(WARN) -fno-builtin -fPIC -shared -o $@ $<

# A server that is not Maya, to be deployed (test/e2e/apps.py); an image by itself.
$(B)/test/app_server: test/e2e/app_server.c
	@mkdir -p $(@D)
	$(call say,TEST,$@)
	$(Q)$(CC) -std=gnu17 -O1 $(WARN) -static -pthread -o $@ $<

# Maya as a later build will be: her sessions have a form that this one does not know
# (test/e2e/test_sample.py). Her own codec comes before the library's.
$(B)/test/maya_ahead: src/session/codec.c $(B)/obj/main.o $(ARCHIVES) $(B)/flags
	@mkdir -p $(@D)
	$(call say,TEST,$@)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -DFORMAT_VERSION=99 $(LDFLAGS_ALL) -o $@ $< \
		$(B)/obj/main.o $(ARCHIVES) $(LIBS)
