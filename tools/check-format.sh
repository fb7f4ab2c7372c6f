#!/bin/sh
# Every C file is as clang-format leaves it; every text file ends its lines without spaces.
set -u
cd "$(dirname "$0")/.." || exit 1
status=0
for f in $(find src test -name '*.[ch]' | sort); do
    clang-format --dry-run -Werror "$f" >/dev/null 2>&1 || {
        echo "$f: not formatted (make format)"
        status=1
    }
done
if grep -rnI --include='*.c' --include='*.h' --include='*.def' --include='*.py' --include='*.sh' \
    --include='*.md' --include='Makefile' --include='*.mk' ' $' src test tools docs Makefile; then
    echo "spaces at the end of lines"
    status=1
fi
exit $status
