/*
 * The bytes of the page's files, each between asset_<name> and asset_<name>_end. Paths are
 * relative to the folder that `make` runs in.
 */
#define ASSET(name, path, file, type)                                                            \
    .balign 16;                                                                                  \
    .globl asset_##name;                                                                         \
    asset_##name:                                                                                \
    .incbin file;                                                                                \
    .globl asset_##name##_end;                                                                   \
    asset_##name##_end:                                                                          \
    .byte 0;

    .section .rodata
#include "api/assets.def"

    .section .note.GNU-stack, "", %progbits
