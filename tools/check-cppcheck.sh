#!/bin/sh
# cppcheck without a remark. A remark that is wrong is answered in the code:
# /* cppcheck-suppress id ; why it does not hold */
set -eu
cd "$(dirname "$0")/.."
mkdir -p build/check/cppcheck
[ -n "$(find src -name '*.c' -print -quit)" ] || exit 0
exec cppcheck --quiet --std=c11 --language=c -D_GNU_SOURCE -DMAYA_VERSION='""' -DMAYA_PREFIX='""' \
    -D__x86_64__ -D__linux__ -Isrc --enable=warning,performance,portability --inline-suppr \
    --error-exitcode=1 --cppcheck-build-dir=build/check/cppcheck \
    --suppress=missingIncludeSystem --suppress=missingInclude --suppress=unmatchedSuppression \
    --suppress=varFuncNullUB --suppress=normalCheckLevelMaxBranches --suppress=preprocessorErrorDirective src
