/* What volumes and secrets may be called. */
#include "fleet/name.c"

#include "unit/tap.h"

static void test_names(void)
{
    char most[FLEET_VOLUME_NAME_MAX + 2];
    struct err e = {0};

    CHECK_INT(fleet_check_name("a secret", "a", 3, &e), 0);
    CHECK_INT(fleet_check_name("a secret", "a._", 3, &e), 0);
    CHECK_INT(fleet_check_name("a secret", "abcd", 3, &e), -1);
    CHECK_INT(fleet_check_name("a secret", "", 3, &e), -1);
    CHECK_INT(fleet_check_name("a secret", "-a", 3, &e), -1);
    CHECK_INT(fleet_check_name("a secret", "a b", 3, &e), -1);
    CHECK(strstr(e.msg, "'a b' is no name for a secret: ") && strstr(e.msg, "at most 3 long"));
    CHECK_INT(fleet_check_volume_name("ab", &e), 0);
    CHECK_INT(fleet_check_volume_name("a", &e), -1);
    CHECK(strstr(e.msg, "'a' is no name for a volume: ") && strstr(e.msg, "is 2 to "));
    memset(most, 'x', sizeof(most));
    most[FLEET_VOLUME_NAME_MAX] = '\0';
    CHECK_INT(fleet_check_volume_name(most, &e), 0);
    most[FLEET_VOLUME_NAME_MAX] = 'x';
    most[FLEET_VOLUME_NAME_MAX + 1] = '\0';
    CHECK_INT(fleet_check_volume_name(most, &e), -1);
}

static const struct tap_case cases[] = {{"names", test_names}};
TAP_MAIN(cases)
