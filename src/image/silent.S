/* The libraries of silent/, as bytes. */
    .section .rodata
    .balign 16
    .globl image_silent_pcaudio
image_silent_pcaudio:
    .incbin MAYA_SILENT_PCAUDIO
    .globl image_silent_pcaudio_end
image_silent_pcaudio_end:
    .byte 0

    .section .note.GNU-stack, "", %progbits
