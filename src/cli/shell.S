/* The scripts of `maya completion`, each between cli_shell_<name> and cli_shell_<name>_end. */
#define SHELL(name, file)                                                                        \
    .globl cli_shell_##name;                                                                         \
    cli_shell_##name:                                                                                \
    .incbin file;                                                                                \
    .globl cli_shell_##name##_end;                                                                   \
    cli_shell_##name##_end:                                                                          \
    .byte 0;

    .section .rodata
SHELL(bash, "src/cli/shell/maya.bash")
SHELL(zsh, "src/cli/shell/maya.zsh")
SHELL(fish, "src/cli/shell/maya.fish")

    .section .note.GNU-stack, "", %progbits
