#!/bin/sh
# Every C file is as clang-format leaves it; every text file ends its lines without spaces.
set -u
cd "$(dirname "$0")/.." || exit 1
status=0
unformatted=$(find src test -name '*.[ch]' -print0 |
    xargs -0 -n 20 -P 2 clang-format --dry-run -Werror 2>&1 | grep ': error:' | sort -u -t: -k1,1)
if [ -n "$unformatted" ]; then
    echo "$unformatted"
    echo "not formatted: make format"
    status=1
fi
if grep -rnI --include='*.c' --include='*.h' --include='*.def' --include='*.py' --include='*.sh' \
    --include='*.md' --include='Makefile' --include='*.mk' ' $' src test tools docs Makefile; then
    echo "spaces at the end of lines"
    status=1
fi
exit $status
