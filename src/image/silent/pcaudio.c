/*
 * Stands in an image where libpcaudio would: eSpeak NG is linked with it, but Maya takes its
 * sound as bytes and never opens a sound card.
 */
#define NOTHING(name)                                                                          \
    int name(void);                                                                            \
    int name(void)                                                                             \
    {                                                                                          \
        return -1;                                                                             \
    }

NOTHING(audio_object_open)
NOTHING(audio_object_close)
NOTHING(audio_object_write)
NOTHING(audio_object_drain)
NOTHING(audio_object_flush)

void audio_object_destroy(void);
void audio_object_destroy(void)
{
}

const char *audio_object_strerror(void);
const char *audio_object_strerror(void)
{
    return "there is no sound card";
}

void *create_audio_device_object(void);
void *create_audio_device_object(void)
{
    return 0;
}
