/*
 * Runs stored inputs through a fuzz target once each, as TAP, where libFuzzer is not linked.
 * Arguments are files or folders. The target's own empty input is always tried.
 */
#include "base/alloc.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int count;

static void run_bytes(const char *name, const void *data, size_t len)
{
    /* Told before it runs: a crash then says which input it was. */
    fprintf(stderr, "# %s\n", name);
    LLVMFuzzerTestOneInput(data, len);
    printf("ok %d - %s\n", ++count, name);
    fflush(stdout);
}

static void run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    struct stat st;
    char *data;

    if (!f || fstat(fileno(f), &st) != 0) {
        printf("not ok %d - cannot open %s\n", ++count, path);
    } else {
        /* Exactly as long as the input, so that a read behind it is seen. */
        data = malloc(st.st_size > 0 ? (size_t)st.st_size : 1);
        if (data && fread(data, 1, (size_t)st.st_size, f) == (size_t)st.st_size)
            run_bytes(path, data, (size_t)st.st_size);
        else
            printf("not ok %d - cannot read %s\n", ++count, path);
        free(data);
    }
    if (f)
        fclose(f);
}

static void run_path(const char *path)
{
    DIR *d = opendir(path);

    if (!d) {
        run_file(path);
        return;
    }
    for (struct dirent *at; (at = readdir(d));) {
        char *inner;

        if (at->d_name[0] == '.')
            continue;
        inner = xprintf("%s/%s", path, at->d_name);
        run_file(inner);
        free(inner);
    }
    closedir(d);
}

int main(int argc, char **argv)
{
    run_bytes("no input", "", 0);
    for (int i = 1; i < argc; i++)
        run_path(argv[i]);
    printf("1..%d\n", count);
    return 0;
}
