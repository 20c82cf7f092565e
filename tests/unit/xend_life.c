/*
 * The life of domains through xend's API, on a fake hypervisor, with a real store and played
 * backends and guests: what a user can do works and leaves nothing behind, what is wrong is refused
 * in a sentence before anything is touched.
 */
#include "tests/unit/xend_env.h"

#include "xend/lib/sxp.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t number(const char *which, const char *key)
{
    auto_value d = env_ok("xend.domain", env_args("s", which));

    return sxp_get_int(d, key, -1);
}

static bool exists(const char *which)
{
    auto_value names = env_ok("xend.domains_with_state", env_args("is", 0, "all"));

    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->items[i]->string, which) == 0) {
            return true;
        }
    }
    return false;
}

/* Create and unpause; the domid. */
static int start(const char *config)
{
    auto_value d = env_ok("xend.domain.create", env_args("v", env_config(config)));
    int domid = (int)sxp_get_int(d, "domid", -1);

    assert_true(domid > 0);
    env_do("xend.domain.waitForDevices", env_args("i", domid));
    env_do("xend.domain.unpause", env_args("i", domid));
    return domid;
}

static void destroy(const char *which)
{
    env_do("xend.domain.destroy", env_args("s", which));
}

/* Nothing of any domain is left: memory, store, records. */
static void assert_clean(void)
{
    char command[200];

    assert_int_equal(fake_free_pages(), 3072ull * 256);
    assert_int_equal(fake_guests(), 0);
    snprintf(command, sizeof(command), "test -z \"$(ls %s/state/domains)\"", env_folder());
    assert_int_equal(system(command), 0);
}

/* What Linux's xenbus and the neighbours' isolation need. */
static void check_permissions(int domid)
{
    static const struct {
        const char *path, *perms;
    } rows[] = {
        {"/local/domain/%d", "n0,r%d"},
        {"/local/domain/%d/cpu/1/availability", "n0,r%d"},
        {"/local/domain/%d/memory/target", "n0,r%d"},
        {"/local/domain/%d/console/ring-ref", "n0,r%d"},
        {"/local/domain/%d/control/shutdown", "n%d"},
        {"/local/domain/%d/data", "n%d"},
        {"/local/domain/%d/device", "n0,r%d"},
        {"/local/domain/%d/device/vbd/51712", "n%d,r0"},
        {"/local/domain/%d/device/vbd/51712/state", "n%d,r0"},
        {"/local/domain/0/backend/vbd/%d/51712", "n0,r%d"},
        {"/local/domain/0/backend/vbd/%d/51712/mode", "n0,r%d"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char path[100], perms[20], *at;

        snprintf(path, sizeof(path), "%s", rows[i].path);
        at = strstr(path, "%d");
        snprintf(at, (size_t)(path + sizeof(path) - at), "%d%s", domid,
                 strstr(rows[i].path, "%d") + 2);
        at = strstr(rows[i].perms, "%d");
        snprintf(perms, sizeof(perms), "%.*s%d%s", (int)(at - rows[i].perms), rows[i].perms, domid,
                 at + 2);
        assert_string_equal(env_perms("%s", path), perms);
    }
}

static void test_create_destroy(void **state)
{
    const char *image = env_file("a.img", 4096);
    char config[300];
    int domid;

    snprintf(config, sizeof(config),
             "name='a'\nmemory=64\nvcpus=2\nmaxvcpus=4\nextra='ro'\nroot='/dev/xvda'\n"
             "disk=['file:%s,xvda,w']\nvif=['bridge=xenbr0','mac=00:16:3e:00:00:09']\n",
             image);
    domid = start(config);
    assert_string_equal(env_store("/local/domain/%d/name", domid), "a");
    assert_string_equal(env_store("/local/domain/%d/cpu/1/availability", domid), "online");
    assert_string_equal(env_store("/local/domain/%d/cpu/3/availability", domid), "offline");
    assert_string_equal(env_store("/local/domain/%d/memory/target", domid), "65536");
    assert_string_equal(env_store("/local/domain/0/backend/vbd/%d/51712/mode", domid), "w");
    assert_string_equal(env_store("/local/domain/0/backend/vbd/%d/51712/physical-device", domid),
                        "7:0");
    assert_string_equal(env_store("/local/domain/0/backend/vif/%d/1/mac", domid),
                        "00:16:3e:00:00:09");
    assert_string_equal(env_store("/local/domain/0/backend/vif/%d/0/hotplug-status", domid),
                        "connected");
    env_until(strcmp(env_store("/local/domain/0/backend/vbd/%d/51712/state", domid), "4") == 0);
    check_permissions(domid);
    assert_int_equal(number("a", "memory"), 64);
    assert_int_equal(number("a", "vcpus"), 4);
    destroy("a");
    assert_false(exists("a"));
    assert_string_equal(env_store("/local/domain/%d/name", domid), "");
    assert_string_equal(env_store("/local/domain/0/backend/vbd/%d/51712/mode", domid), "");
    assert_clean();
}

/* What a card's network mode needs again is in its backend's folder. */
static void test_card_nodes(void **state)
{
    int domid =
        start("name='n'\nmemory=32\nvif=['script=vif-nat, forward=tcp:8080:80, rate=250KB/s@20ms,"
              "antispoof=off, vifname=%n']");

    assert_string_equal(env_store("/local/domain/0/backend/vif/%d/0/script", domid), "vif-nat");
    assert_string_equal(env_store("/local/domain/0/backend/vif/%d/0/forward", domid),
                        "tcp:8080:80");
    assert_string_equal(env_store("/local/domain/0/backend/vif/%d/0/antispoof", domid), "off");
    assert_string_equal(env_store("/local/domain/0/backend/vif/%d/0/rate", domid), "5000,20000");
    assert_string_equal(env_store("/local/domain/0/backend/vif/%d/0/address", domid),
                        "192.168.122.7");
    env_do("xend.domain.setName", env_args("ss", "n", "m"));
    assert_string_equal(env_store("/local/domain/0/backend/vif/%d/0/domain", domid), "m");
    env_fails(EINVAL, "shorten", "xend.domain.setName",
              env_args("ss", "m", "much-too-long-a-name"));
    assert_string_equal(env_store("/local/domain/0/backend/vif/%d/0/domain", domid), "m");
    assert_string_equal(env_store("/local/domain/%d/name", domid), "m");
    destroy("m");
    env_fails(ENOENT, "There is no script", "xend.domain.create",
              env_args("v", env_config("name='b'\nvif=['script=vif-nonsense']")));
    env_fails(EINVAL, "Only a network card in NAT mode", "xend.domain.create",
              env_args("v", env_config("name='b'\nvif=['forward=tcp:1:1']")));
    assert_clean();
}

static void test_refusals(void **state)
{
    const char *image = env_file("b.img", 4096);
    char config[300];

    env_fails(ENOMEM, "not enough memory", "xend.domain.create",
              env_args("v", env_config("name='big'\nmemory=4000")));
    env_fails(ENOENT, "no such file", "xend.domain.create",
              env_args("v", env_config("name='b'\ndisk=['file:/nowhere.img,xvda,w']")));
    env_fails(ENODEV, "no bridge", "xend.domain.create",
              env_args("v", env_config("name='b'\nvif=['bridge=nobr']")));
    env_fails(EINVAL, "phy:", "xend.domain.create",
              env_args("v", env_config("name='b'\ndisk=['file:/dev/loop0,xvda,w']")));
    env_fails(ESRCH, "no domain nobody", "xend.domain.destroy", env_args("s", "nobody"));
    env_fails(EPERM, "Domain 0", "xend.domain.destroy", env_args("i", 0));
    env_fails(EPERM, "Domain 0", "xend.domain.pause", env_args("s", "Domain-0"));
    env_fails(EINVAL, "arguments", "xend.domain.create", value_list());
    env_fails(ENOSYS, "no method", "xend.domain.nonsense", value_list());
    env_fails(EINVAL, "begins with 'vm'", "xend.domain.create", env_args("s", "x"));
    assert_clean();

    snprintf(config, sizeof(config), "name='b'\nmemory=32\ndisk=['file:%s,xvda,w']", image);
    start(config);
    env_fails(EEXIST, "is taken", "xend.domain.create", env_args("v", env_config("name='b'")));
    snprintf(config, sizeof(config), "name='c'\nmemory=32\ndisk=['file:%s,xvda,r']", image);
    env_fails(EBUSY, "in use by b", "xend.domain.create", env_args("v", env_config(config)));
    snprintf(config, sizeof(config), "name='c'\nmemory=32\ndisk=['file:%s,xvda,w!']", image);
    env_fails(EBUSY, "in use by b", "xend.domain.create", env_args("v", env_config(config)));
    destroy("b");
    assert_clean();
}

static void test_readers_share(void **state)
{
    const char *image = env_file("r.img", 4096);
    char config[300];

    snprintf(config, sizeof(config), "name='r1'\nmemory=32\ndisk=['file:%s,xvda,r']", image);
    start(config);
    config[7] = '2';
    start(config);
    snprintf(config, sizeof(config), "name='w'\nmemory=32\ndisk=['file:%s,xvda,w']", image);
    env_fails(EBUSY, "in use", "xend.domain.create", env_args("v", env_config(config)));
    destroy("r1");
    destroy("r2");
    assert_clean();
}

static void test_check_touches_nothing(void **state)
{
    uint64_t built = fake_hv()->built;

    env_do("xend.domain.check", env_args("v", env_config("name='k'\nmemory=64")));
    env_fails(ENOMEM, "not enough memory", "xend.domain.check",
              env_args("v", env_config("name='k'\nmemory=4000")));
    assert_int_equal(fake_hv()->built, built);
    assert_false(exists("k"));
    env_do("xend.domain.check", env_args("v", env_config("name='k'\nmemory=64")));
    assert_clean();
}

static void test_poweroff(void **state)
{
    start("name='p'\nmemory=32");
    env_do("xend.domain.shutdown", env_args("ss", "p", "poweroff"));
    env_until(!exists("p"));
    env_until(fake_guests() == 0);
    assert_clean();
}

static void test_reboot(void **state)
{
    int first = start("name='q'\nmemory=32\nvif=['']");

    env_do("xend.domain.shutdown", env_args("ss", "q", "reboot"));
    env_until(exists("q") && number("q", "domid") > first);
    env_until(number("q", "restarts") == 1);
    env_until(fake_find((uint32_t)number("q", "domid")) != NULL &&
              fake_find((uint32_t)number("q", "domid"))->runs == 1);
    destroy("q");
    assert_clean();
}

static void test_crash_actions(void **state)
{
    int domid = start("name='x'\nmemory=32\non_crash='preserve'");
    char command[200];

    fake_end((uint32_t)domid, 3);
    env_until(strcmp(env_store("/local/domain/%d/name", domid), "x") == 0);
    env_nap();
    env_nap();
    assert_int_equal(number("x", "domid"), domid);
    destroy("x");

    domid = start("name='x'\nmemory=32\non_crash='coredump-restart'");
    fake_end((uint32_t)domid, 3);
    env_until(exists("x") && number("x", "domid") > domid);
    snprintf(command, sizeof(command), "ls %s/state/dumps | grep -q 'x\\.%d\\.core'", env_folder(),
             domid);
    assert_int_equal(system(command), 0);
    env_until(number("x", "restarts") == 1);
    destroy("x");

    domid = start("name='x'\nmemory=32\non_crash='rename-restart'");
    fake_end((uint32_t)domid, 3);
    env_until(exists("x-1") && exists("x") && number("x", "domid") > domid);
    assert_int_equal(number("x-1", "domid"), domid);
    destroy("x-1");
    destroy("x");
    assert_clean();
}

static void test_crash_loop_ends(void **state)
{
    int last = start("name='l'\nmemory=32\non_crash='restart'");
    unsigned crashes = 0;

    while (crashes < 20 && exists("l")) {
        fake_end((uint32_t)last, 3);
        crashes++;
        env_until(!exists("l") || number("l", "domid") > last);
        if (exists("l")) {
            last = (int)number("l", "domid");
        }
    }
    assert_in_range(crashes, 5, 7);
    env_until(fake_guests() == 0);
    assert_clean();
}

static void test_pause_rename(void **state)
{
    int domid = start("name='n'\nmemory=32");

    env_do("xend.domain.pause", env_args("s", "n"));
    assert_true(fake_find((uint32_t)domid)->paused);
    env_fails(EBUSY, "paused", "xend.domain.shutdown", env_args("s", "n"));
    env_do("xend.domain.unpause", env_args("s", "n"));
    env_do("xend.domain.setName", env_args("ss", "n", "m"));
    assert_string_equal(env_store("/local/domain/%d/name", domid), "m");
    assert_false(exists("n"));
    env_fails(EINVAL, "not allowed", "xend.domain.setName", env_args("ss", "m", "a/b"));
    env_fails(EINVAL, "number", "xend.domain.setName", env_args("ss", "m", "17"));
    env_fails(EEXIST, "taken", "xend.domain.setName", env_args("ss", "m", "Domain-0"));
    destroy("m");
    assert_clean();
}

/* A configuration from an API client, without what the file parser fills in. */
static struct value *without(struct value *sxp, const char *key)
{
    for (size_t i = 1; i < sxp->count; i++) {
        if (strcmp(sxp_name(sxp->items[i]), key) == 0) {
            value_free(sxp->items[i]);
            memmove(&sxp->items[i], &sxp->items[i + 1],
                    (sxp->count - i - 1) * sizeof(sxp->items[0]));
            sxp->count--;
            break;
        }
    }
    return sxp;
}

/* Without maxmem the memory at the start is the most, also after the guest has shrunk. */
static void test_memory_without_maximum(void **state)
{
    env_do("xend.domain.create",
           env_args("v", without(env_config("name='v'\nmemory=64"), "maxmem")));
    env_do("xend.domain.setMemoryTarget", env_args("si", "v", 50));
    env_do("xend.domain.setMemoryTarget", env_args("si", "v", 64));
    env_fails(EINVAL, "at most 64", "xend.domain.setMemoryTarget", env_args("si", "v", 65));
    destroy("v");
    assert_clean();
}

static void test_memory_cpus(void **state)
{
    int domid = start("name='v'\nmemory=64\nmaxmem=128\nvcpus=1\nmaxvcpus=2");
    auto_value share = NULL;

    env_do("xend.domain.setMemoryTarget", env_args("si", "v", 100));
    assert_string_equal(env_store("/local/domain/%d/memory/target", domid), "102400");
    env_fails(EINVAL, "at most 128", "xend.domain.setMemoryTarget", env_args("si", "v", 200));
    env_fails(EINVAL, "keeps at least", "xend.domain.setMemoryTarget", env_args("ii", 0, 16));
    env_do("xend.domain.setVCpuCount", env_args("si", "v", 2));
    assert_string_equal(env_store("/local/domain/%d/cpu/1/availability", domid), "online");
    env_fails(EINVAL, "1 to 2", "xend.domain.setVCpuCount", env_args("si", "v", 3));
    env_do("xend.domain.pincpu", env_args("sss", "v", "all", "0-1"));
    env_fails(EINVAL, "no list of CPUs", "xend.domain.pincpu", env_args("sss", "v", "0", "x"));
    env_fails(EINVAL, "cannot run", "xend.domain.pincpu", env_args("sss", "v", "0", "7"));
    env_do("xend.domain.sched_credit_set", env_args("sii", "v", 512, 50));
    share = env_ok("xend.domain.sched_credit_get", env_args("s", "v"));
    assert_int_equal(dict_get(share, "weight")->integer, 512);
    assert_int_equal(dict_get(share, "cap")->integer, 50);
    destroy("v");
    assert_clean();
}

static struct value *disk(const char *path, const char *dev)
{
    struct value *sxp = sxp_new("vbd");
    char uname[200];

    snprintf(uname, sizeof(uname), "file:%s", path);
    sxp_add_string(sxp, "uname", uname);
    sxp_add_string(sxp, "dev", dev);
    sxp_add_string(sxp, "mode", "w");
    return sxp;
}

static void test_hotplug(void **state)
{
    const char *image = env_file("h.img", 4096);
    int domid = start("name='h'\nmemory=32\nvif=['']");
    auto_value vif = sxp_new("vif");

    env_do("xend.domain.device_create", env_args("sv", "h", disk(image, "xvdb")));
    assert_string_equal(env_store("/local/domain/0/backend/vbd/%d/51728/state", domid), "4");
    env_fails(EEXIST, "has a disk xvdb", "xend.domain.device_create",
              env_args("sv", "h", disk(env_file("h2.img", 4096), "xvdb")));
    env_fails(EBUSY, "in use by h", "xend.domain.device_create",
              env_args("sv", "h", disk(image, "xvdc")));
    env_do("xend.domain.destroyDevice", env_args("sss", "h", "vbd", "xvdb"));
    assert_string_equal(env_store("/local/domain/0/backend/vbd/%d/51728/state", domid), "");
    env_fails(ENOENT, "no vbd", "xend.domain.destroyDevice", env_args("sss", "h", "vbd", "xvdb"));
    env_do("xend.domain.device_create", env_args("sv", "h", value_copy(vif)));
    assert_string_equal(env_store("/local/domain/0/backend/vif/%d/1/state", domid), "4");
    env_do("xend.domain.destroyDevice", env_args("ssi", "h", "vif", 0));
    destroy("h");
    assert_clean();
}

static void test_unwilling_guest(void **state)
{
    const char *image = env_file("u.img", 4096);
    char config[300];
    int domid;

    fake_hv()->new_stubborn = true;
    snprintf(config, sizeof(config), "name='u'\nmemory=32\ndisk=['file:%s,xvda,w']", image);
    domid = start(config);
    env_until(strcmp(env_store("/local/domain/0/backend/vbd/%d/51712/state", domid), "4") == 0);
    env_fails(EBUSY, "did not let go", "xend.domain.destroyDevice",
              env_args("sss", "u", "vbd", "xvda"));
    env_do("xend.domain.destroyDevice", env_args("sssi", "u", "vbd", "xvda", 1));
    fake_hv()->new_stubborn = false;
    destroy("u");

    fake_hv()->new_deaf = true;
    start("name='u'\nmemory=32");
    env_fails(ETIMEDOUT, "not connected", "xend.domain.device_create",
              env_args("sv", "u", disk(image, "xvdb")));
    fake_hv()->new_deaf = false;
    destroy("u");
    assert_clean();
}

static void test_no_backend_driver(void **state)
{
    fake_hv()->no_backends = true;
    env_fails(ETIMEDOUT, "modprobe xen-netback", "xend.domain.create",
              env_args("v", env_config("name='w'\nmemory=32\nvif=['']")));
    fake_hv()->no_backends = false;
    assert_false(exists("w"));
    assert_clean();
}

static void *create_slowly(void *arg)
{
    env_fails(ECANCELED, "destroyed while it was built", "xend.domain.create",
              env_args("v", env_config("name='z'\nmemory=32")));
    return NULL;
}

static void test_cancel(void **state)
{
    pthread_t thread;

    fake_hv()->build_ms = 5000;
    pthread_create(&thread, NULL, create_slowly, NULL);
    env_until(exists("z") && fake_guests() == 1);
    destroy("z");
    pthread_join(thread, NULL);
    fake_hv()->build_ms = 0;
    assert_false(exists("z"));
    assert_clean();
}

static void test_stored(void **state)
{
    env_do("xend.domain.new", env_args("v", env_config("name='s'\nmemory=32\nautostart=1")));
    env_do("xend.domain.new", env_args("v", env_config("name='s'\nmemory=48")));
    assert_int_equal(number("s", "memory"), 48);
    assert_int_equal(number("s", "domid"), -1);
    env_do("xend.domain.start", env_args("s", "s"));
    assert_true(number("s", "domid") > 0);
    env_fails(EALREADY, "runs already", "xend.domain.start", env_args("s", "s"));
    env_fails(EBUSY, "running", "xend.domain.delete", env_args("s", "s"));
    env_do("xend.domain.shutdown", env_args("s", "s"));
    env_until(number("s", "domid") == -1);
    env_do("xend.domain.delete", env_args("s", "s"));
    assert_false(exists("s"));
    assert_clean();
}

static void test_destroyed_by_another(void **state)
{
    int domid = start("name='o'\nmemory=32\nvif=['']");

    assert_int_equal(fake_destroy((uint32_t)domid), 0);
    env_until(!exists("o"));
    env_until(strcmp(env_store("/local/domain/0/backend/vif/%d/0/state", domid), "") == 0);
    assert_clean();
}

/* Linux's backends write what went wrong beside their nodes; the last one's folders go with it. */
static void test_errors_go(void **state)
{
    int domid = start("name='e'\nmemory=32\nvif=['']");

    env_store_write("22 no", "/local/domain/0/error/backend/vif/%d/0/error", domid);
    destroy("e");
    assert_string_equal(env_perms("/local/domain/0/error"), "");
    domid = start("name='e'\nmemory=32\nvif=['']");
    env_store_write("22 no", "/local/domain/0/error/backend/vif/%d/0/error", domid);
    env_store_write("5 other", "/local/domain/0/error/backend/vif/777/0/error");
    destroy("e");
    assert_string_equal(env_perms("/local/domain/0/error/backend/vif/%d", domid), "");
    assert_string_equal(env_store("/local/domain/0/error/backend/vif/777/0/error"), "5 other");
    assert_clean();
}

static unsigned open_files(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned n = 0;

    while (readdir(dir) != NULL) {
        n++;
    }
    closedir(dir);
    return n;
}

/* Everything that is taken is given back, however often. */
static void test_cycles(void **state)
{
    const char *image = env_file("y.img", 4096);
    char config[300];
    unsigned before = 0;

    snprintf(config, sizeof(config), "name='y'\nmemory=32\ndisk=['file:%s,xvda,w']\nvif=['']",
             image);
    for (int i = 0; i < 60; i++) {
        start(config);
        destroy("y");
        if (i == 9) { /* pools are filled by now */
            before = open_files();
        }
    }
    assert_in_range(open_files(), 0, before + 1);
    assert_clean();
}

/* Somebody holds a page of the dead for a moment: destroy ends when the domain is really gone. */
static void test_dying(void **state)
{
    fake_hv()->dying_looks = 5;
    start("name='y'\nmemory=32");
    destroy("y");
    assert_clean();
    fake_hv()->dying_looks = 0;
}

static void test_listings(void **state)
{
    auto_value node = env_ok("xend.node.info", NULL);
    auto_value dmesg = env_ok("xend.node.dmesg.info", NULL);
    auto_value object = sxp_to_object(node);

    assert_int_equal(dict_get(object, "nr_cpus")->integer, 4);
    assert_string_equal(dict_get(object, "xen_scheduler")->string, "credit2");
    assert_string_equal(dmesg->string, "(XEN) ?hello\n");
    assert_int_equal(number("Domain-0", "domid"), 0);
    assert_int_equal(number("0", "memory"), 1024);
    env_fails(EINVAL, "no state", "xend.domains_with_state", env_args("is", 1, "odd"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_listings),
        cmocka_unit_test(test_create_destroy),
        cmocka_unit_test(test_card_nodes),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_readers_share),
        cmocka_unit_test(test_check_touches_nothing),
        cmocka_unit_test(test_poweroff),
        cmocka_unit_test(test_reboot),
        cmocka_unit_test(test_crash_actions),
        cmocka_unit_test(test_crash_loop_ends),
        cmocka_unit_test(test_pause_rename),
        cmocka_unit_test(test_memory_without_maximum),
        cmocka_unit_test(test_memory_cpus),
        cmocka_unit_test(test_hotplug),
        cmocka_unit_test(test_unwilling_guest),
        cmocka_unit_test(test_no_backend_driver),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_stored),
        cmocka_unit_test(test_destroyed_by_another),
        cmocka_unit_test(test_dying),
        cmocka_unit_test(test_errors_go),
        cmocka_unit_test(test_cycles),
    };

    setenv("CMOCKA_MESSAGE_OUTPUT", "TAP", 0);
    return cmocka_run_group_tests(tests, env_group_start, env_group_stop);
}
