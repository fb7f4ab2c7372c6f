/* Private to yaml/: the tree. */
#pragma once

#include "yaml/yaml.h"

struct yaml_member {
    char *key; /* NULL in a list */
    int key_line;
    struct yaml_node *value;
};

struct yaml_node {
    const struct yaml *file;
    char *text; /* scalars */
    struct yaml_member *members;
    size_t count, cap;
    enum yaml_kind kind;
    int line;
};

struct yaml {
    char *name; /* the path, for errors */
    struct yaml_node *root;
};

int yaml__err_line(const struct yaml *y, int line, struct err *e, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
