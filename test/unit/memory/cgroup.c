#include "memory/cgroup.c"
#include "unit/memory/fake_tree.h"
#include "unit/tap.h"

#define MIB ((uint64_t)1024 * 1024)
#define V1_NONE "9223372036854771712\n"
#define MOUNT_V2                                                                               \
    "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
#define MOUNTS_BESIDE                                                                          \
    "22 28 0:20 / /sys rw shared:7 - sysfs sysfs rw\n"                                         \
    "40 22 8:1 / /memory rw - ext4 /dev/memory rw,memory\n"
#define MOUNT_V1 "35 31 0:32 / /sys/fs/cgroup/memory rw shared:11 - cgroup cgroup rw,memory\n"
#define V2_STAT                                                                                \
    "anon 1000000\nfile 90000000\nkernel 500000\nkernel_stack 7\npagetables 11\nsock 4096\n"   \
    "shmem 30000\nfile_mapped 5\nslab_reclaimable 200000\nslab_unreclaimable 13\nslab "        \
    "200013\n"
#define V2_USED (1000000 + 30000 + 4096 + 500000 - 200000)
#define V1_STAT                                                                                \
    "cache 5000\nrss 6000\nshmem 100\nhierarchical_memory_limit 9223372036854771712\n"         \
    "total_cache 80000000\ntotal_rss 7000000\ntotal_shmem 200000\ntotal_inactive_file 7\n"
#define V1_USED (7000000 + 200000 + 4000)

static struct memory_sample sample_of(uint64_t configured, char *path)
{
    struct memory_sample s;
    struct cgroup *cg = cgroup_new(tree, configured);

    cgroup_sample(cg, &s);
    str_copy(path, 512, cgroup_path(cg) + (*cgroup_path(cg) ? strlen(tree) : 0));
    cgroup_free(&cg);
    return s;
}

static void machine(void)
{
    tree_begin();
    tree_file("/proc/meminfo", "MemTotal:        8388608 kB\nMemFree: 1 kB\n"); /* 8 GiB */
    tree_file("/proc/self/status",
              "Name:\tmaya\nVmRSS:\t   9000 kB\nRssAnon:\t   3000 kB\nRssFile:\t   5500 kB\n"
              "RssShmem:\t   500 kB\nVmPTE:\t   40 kB\n");
}

#define OWN_PAGES (3540 * 1024)

static void v2_limit_on_self(void)
{
    char path[512];

    machine();
    tree_file("/proc/self/cgroup", "0::/app.slice/maya.scope\n");
    tree_file("/proc/self/mountinfo", MOUNTS_BESIDE MOUNT_V2);
    tree_file("/sys/fs/cgroup/app.slice/maya.scope/memory.max", "104857600\n");
    tree_file("/sys/fs/cgroup/app.slice/maya.scope/memory.stat", V2_STAT);
    tree_file("/sys/fs/cgroup/app.slice/maya.scope/memory.events",
              "low 0\noom 5\noom_kill 3\n");
    tree_file("/sys/fs/cgroup/app.slice/memory.max", "max\n");
    struct memory_sample s = sample_of(0, path);
    CHECK(s.known);
    CHECK_INT(s.limit, 100 * MIB);
    CHECK_INT(s.used, V2_USED);
    CHECK_INT(s.limit_from, MEMORY_CGROUP_V2);
    CHECK_INT(s.used_from, MEMORY_CGROUP_V2);
    CHECK_INT(s.oom_kills, 3);
    CHECK_STR(path, "/sys/fs/cgroup/app.slice/maya.scope");
    tree_end();
}

static void v2_limit_on_the_parent(void)
{
    char path[512];

    machine();
    tree_file("/proc/self/cgroup", "0::/pod/one/leaf\n");
    tree_file("/proc/self/mountinfo", MOUNT_V2);
    tree_file("/sys/fs/cgroup/pod/one/memory.max", "max\n");
    tree_file("/sys/fs/cgroup/pod/one/memory.stat", "anon 1\nshmem 0\n");
    tree_file("/sys/fs/cgroup/pod/memory.max", "209715200\n");
    tree_file("/sys/fs/cgroup/pod/memory.stat", V2_STAT);
    struct memory_sample s = sample_of(0, path);
    CHECK_INT(s.limit, 200 * MIB);
    CHECK_INT(s.used, V2_USED); /* what shares the limit counts */
    CHECK_STR(path, "/sys/fs/cgroup/pod");

    tree_file("/sys/fs/cgroup/pod/one/memory.max", "419430400\n");
    s = sample_of(0, path);
    CHECK_INT(s.limit, 200 * MIB); /* the parent's is lower, so it binds first */
    tree_file("/sys/fs/cgroup/pod/one/memory.max", "104857600\n");
    s = sample_of(0, path);
    CHECK_INT(s.limit, 100 * MIB);
    CHECK_INT(s.used, 1);
    CHECK_STR(path, "/sys/fs/cgroup/pod/one");
    tree_end();
}

static void v2_without_the_kernel_line(void)
{
    char path[512];

    machine();
    tree_file("/proc/self/cgroup", "0::/a\n");
    tree_file("/proc/self/mountinfo", MOUNT_V2);
    tree_file("/sys/fs/cgroup/a/memory.max", "104857600\n");
    tree_file("/sys/fs/cgroup/a/memory.stat",
              "anon 1000\nfile 9999999\nkernel_stack 100\npagetables 20\npercpu 3\nsock 400\n"
              "shmem 50000\nslab_reclaimable 777777\nslab_unreclaimable 600000\n");
    struct memory_sample s = sample_of(0, path);
    CHECK_INT(s.used, 1000 + 100 + 20 + 3 + 400 + 50000 + 600000);
    tree_end();
}

static void no_limit_means_own_pages(void)
{
    char path[512];

    machine();
    tree_file("/proc/self/cgroup", "0::/a\n");
    tree_file("/proc/self/mountinfo", MOUNT_V2);
    tree_file("/sys/fs/cgroup/a/memory.max", "max\n");
    tree_file("/sys/fs/cgroup/a/memory.stat", V2_STAT);
    struct memory_sample s = sample_of(0, path);
    CHECK_INT(s.limit, 8192 * MIB);
    CHECK_INT(s.limit_from, MEMORY_PHYSICAL);
    CHECK_INT(s.used, OWN_PAGES);
    CHECK_INT(s.used_from, MEMORY_PHYSICAL);
    CHECK_STR(path, "");

    s = sample_of(4096 * MIB, path);
    CHECK_INT(s.limit, 4096 * MIB);
    CHECK_INT(s.limit_from, MEMORY_CONFIGURED);
    CHECK_INT(s.used, OWN_PAGES);

    s = sample_of(9000 * MIB, path); /* more than the machine has */
    CHECK_INT(s.limit, 8192 * MIB);
    CHECK_INT(s.limit_from, MEMORY_PHYSICAL);
    tree_end();
}

static void v1_plain(void)
{
    char path[512];

    machine();
    tree_file("/proc/self/cgroup",
              "9:name=systemd:/\n5:memory:/maya/one\n4:cpu,cpuacct:/maya\n");
    tree_file("/proc/self/mountinfo", MOUNTS_BESIDE MOUNT_V1);
    tree_file("/sys/fs/cgroup/memory/maya/one/memory.limit_in_bytes", V1_NONE);
    tree_file("/sys/fs/cgroup/memory/maya/memory.limit_in_bytes", "314572800\n");
    tree_file("/sys/fs/cgroup/memory/maya/memory.stat", V1_STAT);
    tree_file("/sys/fs/cgroup/memory/maya/memory.kmem.usage_in_bytes", "4000\n");
    tree_file("/sys/fs/cgroup/memory/maya/one/memory.oom_control",
              "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
    tree_file("/sys/fs/cgroup/memory/memory.limit_in_bytes", V1_NONE);
    struct memory_sample s = sample_of(0, path);
    CHECK_INT(s.limit, 300 * MIB);
    CHECK_INT(s.limit_from, MEMORY_CGROUP_V1);
    CHECK_INT(s.used, V1_USED);
    CHECK_INT(s.oom_kills, 2);
    CHECK_STR(path, "/sys/fs/cgroup/memory/maya");
    tree_end();
}

static void v1_of_an_old_kernel(void)
{
    char path[512];

    machine();
    tree_file("/proc/self/cgroup", "5:memory:/a\n");
    tree_file("/proc/self/mountinfo", MOUNT_V1);
    tree_file("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "104857600\n");
    tree_file("/sys/fs/cgroup/memory/a/memory.stat", "cache 70\nrss 6000\n");
    struct memory_sample s = sample_of(0, path);
    CHECK_INT(s.used, 6000); /* no shmem, no totals, no kernel memory told */
    tree_end();
}

static void v1_limit_above_the_mount(void)
{
    char path[512];

    machine();
    tree_file("/proc/self/cgroup", "5:memory:/docker/abc\n");
    tree_file("/proc/self/mountinfo",
              "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n");
    tree_file("/sys/fs/cgroup/memory/memory.limit_in_bytes", V1_NONE);
    tree_file("/sys/fs/cgroup/memory/memory.stat",
              "total_rss 5000\nhierarchical_memory_limit 104857600\n");
    struct memory_sample s = sample_of(0, path);
    CHECK_INT(s.limit, 100 * MIB);
    CHECK_INT(s.used, 5000);
    CHECK_STR(path, "/sys/fs/cgroup/memory");
    tree_end();
}

static void hybrid(void)
{
    char path[512];

    machine();
    tree_file("/proc/self/cgroup", "4:memory:/maya\n1:cpu:/\n0::/other\n");
    tree_file("/proc/self/mountinfo",
              "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n" MOUNT_V1);
    tree_file("/sys/fs/cgroup/unified/other/memory.pressure", "some avg10=0.00\n");
    tree_file("/sys/fs/cgroup/memory/maya/memory.limit_in_bytes", "104857600\n");
    tree_file("/sys/fs/cgroup/memory/maya/memory.stat", V1_STAT);
    tree_file("/sys/fs/cgroup/memory/maya/memory.kmem.usage_in_bytes", "4000\n");
    struct memory_sample s = sample_of(0, path);
    CHECK_INT(s.limit, 100 * MIB);
    CHECK_INT(s.limit_from, MEMORY_CGROUP_V1);
    CHECK_INT(s.used, V1_USED);
    tree_end();

    /* The other way round: memory is in v2, some other controller is still in v1. */
    machine();
    tree_file("/proc/self/cgroup", "1:cpu:/maya\n0::/maya\n");
    tree_file("/proc/self/mountinfo",
              "31 30 0:38 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
              "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
    tree_file("/sys/fs/cgroup/unified/maya/memory.max", "104857600\n");
    tree_file("/sys/fs/cgroup/unified/maya/memory.stat", V2_STAT);
    s = sample_of(0, path);
    CHECK_INT(s.limit, 100 * MIB);
    CHECK_INT(s.limit_from, MEMORY_CGROUP_V2);
    CHECK_INT(s.used, V2_USED);
    tree_end();
}

static void container_with_a_namespace(void)
{
    char path[512];

    machine();
    tree_file("/proc/self/cgroup", "0::/\n");
    tree_file("/proc/self/mountinfo",
              "700 690 0:26 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw,nsdelegate\n");
    tree_file("/sys/fs/cgroup/memory.max", "536870912\n");
    tree_file("/sys/fs/cgroup/memory.stat", V2_STAT);
    struct memory_sample s = sample_of(0, path);
    CHECK_INT(s.limit, 512 * MIB);
    CHECK_INT(s.used, V2_USED);
    CHECK_STR(path, "/sys/fs/cgroup");
    tree_end();

    /* Without one: the path is the host's, the mount is our cgroup. */
    machine();
    tree_file("/proc/self/cgroup", "0::/system.slice/docker-abc.scope/sub\n");
    tree_file(
        "/proc/self/mountinfo",
        "700 690 0:26 /system.slice/docker-abc.scope /sys/fs/cgroup ro - cgroup2 cgroup rw\n");
    tree_file("/sys/fs/cgroup/sub/memory.max", "max\n");
    tree_file("/sys/fs/cgroup/memory.max", "536870912\n");
    tree_file("/sys/fs/cgroup/memory.stat", V2_STAT);
    s = sample_of(0, path);
    CHECK_INT(s.limit, 512 * MIB);
    tree_end();

    /* Moved out of what the namespace shows: the mount is the best there is. */
    machine();
    tree_file("/proc/self/cgroup", "0::/../../elsewhere\n");
    tree_file("/proc/self/mountinfo", MOUNT_V2);
    tree_file("/sys/fs/cgroup/memory.max", "536870912\n");
    tree_file("/sys/fs/cgroup/memory.stat", V2_STAT);
    s = sample_of(0, path);
    CHECK_INT(s.limit, 512 * MIB);
    tree_end();
}

static void nothing_at_all(void)
{
    char path[512];

    tree_begin();
    struct memory_sample s = sample_of(0, path);
    CHECK(!s.known);
    CHECK(s.limit > 0);
    CHECK_INT(s.used, 0);
    s = sample_of(64 * MIB, path);
    CHECK_INT(s.limit, 64 * MIB);
    CHECK_INT(s.limit_from, MEMORY_CONFIGURED);
    tree_end();
}

static void a_sandbox_that_tells_only_rss(void)
{
    char path[512];

    tree_begin();
    tree_file("/proc/self/status", "VmRSS:\t9000 kB\n");
    tree_file("/proc/meminfo", "MemTotal:      486539264 kB\n"); /* the host's 464 GiB */
    tree_file("/proc/self/cgroup", "4:memory:/\n");
    tree_file("/proc/self/mountinfo", MOUNT_V1);
    tree_file("/sys/fs/cgroup/memory/memory.limit_in_bytes", "498216206336\n");
    tree_file("/sys/fs/cgroup/memory/memory.usage_in_bytes", "400000000000\n");
    struct memory_sample s = sample_of(4096 * MIB, path);
    CHECK_INT(s.limit, 4096 * MIB); /* the host's memory is no limit of ours */
    CHECK_INT(s.limit_from, MEMORY_CONFIGURED);
    CHECK_INT(s.used, 9000 * 1024);
    CHECK(s.known);
    tree_end();
}

static void garbage(void)
{
    static const char *const limits[] = {
        "",     "\n", "-1\n", "lots\n", "12 apples\n", "0\n", "99999999999999999999999999\n",
        "12x\n"};
    char path[512];

    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        machine();
        tree_file("/proc/self/cgroup", "\n::\n0:\n0::nowhere\n:::::/a\n0::/a\n0::");
        tree_file("/proc/self/mountinfo",
                  "\n1\n1 2 3 4 5 6 - cgroup2\n- - - - - - - -\n" MOUNT_V2 "9 9 9 - cgroup2 x");
        tree_file("/sys/fs/cgroup/a/memory.max", limits[i]);
        tree_file("/sys/fs/cgroup/a/memory.stat", "anon\nanonymous 5\n\n\nanon x\n");
        tree_file("/sys/fs/cgroup/a/memory.events", "oom_kill many\n");
        struct memory_sample s = sample_of(0, path);
        if (i == 4)
            CHECK_INT(s.limit, 12); /* a number and a word: the number is what counts */
        else
            CHECK_INT(s.limit, 8192 * MIB);
        CHECK_INT(s.used, OWN_PAGES);
        CHECK_INT(s.oom_kills, 0);
        tree_end();
    }
}

static void configured_is_lower(void)
{
    char path[512];

    machine();
    tree_file("/proc/self/cgroup", "0::/a\n");
    tree_file("/proc/self/mountinfo", MOUNT_V2);
    tree_file("/sys/fs/cgroup/a/memory.max", "209715200\n");
    tree_file("/sys/fs/cgroup/a/memory.stat", V2_STAT);
    struct memory_sample s = sample_of(64 * MIB, path);
    CHECK_INT(s.limit, 64 * MIB);
    CHECK_INT(s.limit_from, MEMORY_CONFIGURED);
    CHECK_INT(s.used_from, MEMORY_CGROUP_V2);
    CHECK_INT(s.used, V2_USED);
    s = sample_of(4096 * MIB, path);
    CHECK_INT(s.limit, 200 * MIB);
    CHECK_INT(s.limit_from, MEMORY_CGROUP_V2);
    tree_end();
}

static void a_limit_that_changes_is_seen(void)
{
    struct memory_sample s;

    machine();
    tree_file("/proc/self/cgroup", "0::/a\n");
    tree_file("/proc/self/mountinfo", MOUNT_V2);
    tree_file("/sys/fs/cgroup/a/memory.max", "max\n");
    tree_file("/sys/fs/cgroup/a/memory.stat", V2_STAT);
    struct cgroup *cg = cgroup_new(tree, 0);
    CHECK_STR(cgroup_path(cg), "");
    tree_file("/sys/fs/cgroup/a/memory.max", "104857600\n");
    cgroup_sample(cg, &s);
    CHECK_INT(s.limit, 100 * MIB);
    CHECK(strstr(cgroup_path(cg), "/sys/fs/cgroup/a") != NULL);
    cgroup_free(&cg);
    CHECK(cg == NULL);
    tree_end();
}

static void escaped_mount_points(void)
{
    char path[512];

    machine();
    tree_file("/proc/self/cgroup", "0::/a\n");
    tree_file("/proc/self/mountinfo",
              "30 23 0:26 / /cgroups\\040of\\040mine rw - cgroup2 cgroup2 rw\n");
    tree_file("/cgroups of mine/a/memory.max", "104857600\n");
    tree_file("/cgroups of mine/a/memory.stat", V2_STAT);
    struct memory_sample s = sample_of(0, path);
    CHECK_INT(s.limit, 100 * MIB);
    CHECK_STR(path, "/cgroups of mine/a");
    tree_end();
}

static void cpu_time(void)
{
    machine();
    tree_file("/proc/self/cgroup", "0::/a\n");
    tree_file("/proc/self/mountinfo", MOUNT_V2);
    tree_file("/sys/fs/cgroup/a/memory.max", "104857600\n");
    tree_file("/sys/fs/cgroup/a/memory.stat", V2_STAT);
    tree_file("/sys/fs/cgroup/a/cpu.stat", "usage_usec 7654321987\nuser_usec 5\n");
    struct cgroup *cg = cgroup_new(tree, 0);
    CHECK_INT(cgroup_cpu_us(cg), 7654321987);
    cgroup_free(&cg);
    tree_end();

    /* The root of a machine is not ours; that of a namespace is. */
    for (int ours = 0; ours < 2; ours++) {
        machine();
        tree_file("/proc/self/cgroup", "2:cpuacct:/\n5:memory:/a\n");
        tree_link("/proc/self/ns/cgroup", ours ? "cgroup:[4026532999]" : "cgroup:[4026531835]");
        tree_file("/proc/self/mountinfo", MOUNT_V1
                  "33 31 0:30 / /sys/fs/cgroup/cpuacct rw - cgroup cgroup rw,cpuacct\n");
        tree_file("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "104857600\n");
        tree_file("/sys/fs/cgroup/memory/a/memory.stat", V1_STAT);
        tree_file("/sys/fs/cgroup/cpuacct/cpuacct.usage", "7654321987654\n");
        cg = cgroup_new(tree, 0);
        if (ours)
            CHECK_INT(cgroup_cpu_us(cg), 7654321987);
        else
            CHECK(cgroup_cpu_us(cg) < 3600000000); /* this test's own time */
        cgroup_free(&cg);
        tree_end();
    }
}

static void the_machine_we_are_on(void)
{
    struct memory_sample s;
    struct cgroup *cg = cgroup_new("", 0);

    cgroup_sample(cg, &s);
    CHECK(s.known);
    CHECK(s.limit > MIB);
    CHECK(s.used > 0 && s.used < s.limit);
    cgroup_free(&cg);
}

static const struct tap_case cases[] = {
    {"v2, limit on self", v2_limit_on_self},
    {"v2, limit on the parent", v2_limit_on_the_parent},
    {"v2 without the kernel line", v2_without_the_kernel_line},
    {"no limit means own pages", no_limit_means_own_pages},
    {"v1", v1_plain},
    {"v1 of an old kernel", v1_of_an_old_kernel},
    {"v1, limit above the mount", v1_limit_above_the_mount},
    {"hybrid", hybrid},
    {"container with a namespace", container_with_a_namespace},
    {"nothing at all", nothing_at_all},
    {"a sandbox that tells only resident memory", a_sandbox_that_tells_only_rss},
    {"garbage", garbage},
    {"configured is lower", configured_is_lower},
    {"a limit that changes is seen", a_limit_that_changes_is_seen},
    {"escaped mount points", escaped_mount_points},
    {"CPU time", cpu_time},
    {"the machine we are on", the_machine_we_are_on},
};

TAP_MAIN(cases)
