/*
 * Configuration files: what the classic syntax means, and what a person is told about mistakes.
 * Tables of texts with what they must become.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#undef fail /* ours is in xend/lib/error.h */

#include "xend/lib/alloc.h"
#include "xend/lib/cfg_parse.h"
#include "xend/lib/cpuset.h"
#include "xend/lib/json.h"
#include "xend/lib/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Text -> values, as JSON. */
static const char *const good[][2] = {
    {"", "{}"},
    {"# only a comment", "{}"},
    {"a = 1", "{\"a\":1}"},
    {"a=1;b = 2 ; c=3", "{\"a\":1,\"b\":2,\"c\":3}"},
    {"a = -5\nb = 0x10\nc = 0o17\nd = 1.5", "{\"a\":-5,\"b\":16,\"c\":15,\"d\":1.5}"},
    {"a = 'x' \"y\" '''z\nw'''", "{\"a\":\"xyz\\nw\"}"},
    {"a = 'it\\'s\\t\\x41\\q'", "{\"a\":\"it's\\tA\\\\q\"}"},
    {"a = r'\\n'", "{\"a\":\"\\\\n\"}"},
    {"a = [ 'x',\n  'y', # comment\n ]", "{\"a\":[\"x\",\"y\"]}"},
    {"a = ('x', 'y')\nb = ('z')\nc = ('z',)", "{\"a\":[\"x\",\"y\"],\"b\":\"z\",\"c\":[\"z\"]}"},
    {"a = [[1, 2], [3]]", "{\"a\":[[1,2],[3]]}"},
    {"a = {'k': 1, 'l': [2]}", "{\"a\":{\"k\":1,\"l\":[2]}}"},
    {"v = '6.1'\na = '/boot/' + v + '.img'", "{\"v\":\"6.1\",\"a\":\"/boot/6.1.img\"}"},
    {"a = [1]\na += [2]\nb = 'x'\nb += 'y'", "{\"a\":[1,2],\"b\":\"xy\"}"},
    {"a = True\nb = False\nc = None", "{\"a\":true,\"b\":false,\"c\":null}"},
    {"a = 'x' \\\n 'y'\r\nb = 2\r\n", "{\"a\":\"xy\",\"b\":2}"},
    {"a = []", "{\"a\":[]}"},
};

static void test_good(void **state)
{
    for (size_t i = 0; i < COUNT(good); i++) {
        struct value *v = NULL;
        struct error err = {0};
        char *json;

        if (cfg_parse("f", good[i][0], strlen(good[i][0]), &v, &err) != 0) {
            print_error("%s\n", err.msg);
            assert_true(false);
        }
        json = json_write(v, false);
        assert_string_equal(json, good[i][1]);
        free(json);
        value_free(v);
    }
}

/* Text -> how the message begins. */
static const char *const bad[][2] = {
    {"a = ", "f:1:5: a value is missing"},
    {"a 1", "f:1:3: there must be a ="},
    {"= 1", "f:1:1: a line must begin"},
    {"a = 'x", "f:1:5: the string that starts here has no closing '"},
    {"a = [1, 2", "f:1:10: the file ends inside a list"},
    {"a = [1 2]", "f:1:8: there must be a comma"},
    {"import os", "f:1:1: import is a program statement"},
    {"x = 1\nif x:", "f:2:1: if is a program statement"},
    {"a = f(3)", "f:1:5: f was not assigned"},
    {"f = 1\na = f(3)", "f:2:6: a call or an index"},
    {"a = 'x' + 1", "f:1:12: only two strings"},
    {"a = 99999999999999999999", "f:1:5: the number is too large"},
    {"a = 12ab", "f:1:5: 12ab is neither"},
    {"a = 1 b = 2", "f:1:7: the line should end"},
    {"a = '\\x0'", "f:1:5: the string has \\x"},
    {"a = '\\x00'", "f:1:5: the string has a zero byte"},
    {"a = $x", "f:1:5: there must be a value here, not $"},
    {"a = {1: 2}", "f:1:6: a dictionary's key"},
    {"a = - 'x'", "f:1:7: there must be a number after"},
};

static void test_bad(void **state)
{
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct value *v = NULL;
        struct error err = {0};

        assert_int_not_equal(cfg_parse("f", bad[i][0], strlen(bad[i][0]), &v, &err), 0);
        if (strncmp(err.msg, bad[i][1], strlen(bad[i][1])) != 0 || strstr(err.msg, "^") == NULL) {
            print_error("%s\n-- instead of: %s\n", err.msg, bad[i][1]);
            assert_true(false);
        }
    }
}

static void test_deep(void **state)
{
    char text[300] = "a = ";
    struct value *v;
    struct error err;

    memset(text + 4, '[', 200);
    assert_int_not_equal(cfg_parse("f", text, strlen(text), &v, &err), 0);
    assert_non_null(strstr(err.msg, "nested too deeply"));
}

/* One option -> the end of the message, NULL: it is fine. */
static const char *const opts[][2] = {
    {"memory = 512", NULL},
    {"memory = '512'", NULL},
    {"memory = 0", "memory is 0, and goes from 1"},
    {"memory = 'much'", "memory must be a whole number, not much"},
    {"memory = 64\nmaxmem = 32", "maxmem (32 MiB) is less than memory (64 MiB)"},
    {"vcpus = 4\nmaxvcpus = 2", "maxvcpus (2) is less than vcpus (4)"},
    {"vcpus = 0", "vcpus is 0"},
    {"cpus = '0-3,^1'", NULL},
    {"cpus = ['0', '1']", NULL},
    {"cpus = 'x'", "is no list of CPUs"},
    {"cpus = '^0-4000'", "is no list of CPUs"},
    {"cpu_weight = 70000", "cpu_weight is 70000"},
    {"cpu_cap = 150", "cpu_cap is 150%"},
    {"name = ''", "The domain has no name"},
    {"name = 'a b'", "has a character that is not allowed"},
    {"name = '12'", "could be mistaken for a domain's number"},
    {"uuid = 'x'", "uuid is no UUID"},
    {"uuid = '6F9619FF-8B86-D011-B42D-00CF4FC964FF'", NULL},
    {"on_crash = 'explode'", "on_crash must be"},
    {"on_crash = 'coredump-restart'", NULL},
    {"disk = 'phy:/dev/x,xvda,w'", NULL},
    {"disk = ['phy:/dev/x,xvda,w', 'file:/x,xvda,r']", "Two disks are both xvda"},
    {"disk = ['phy:/dev/x,xvda']", "has 2 of three parts"},
    {"disk = ['phy:/dev/x,eth0,w']", "\"eth0\" is no name of a disk"},
    {"disk = ['phy:/dev/x,xvda,rx']", "A disk's mode is"},
    {"disk = ['tap:aio:/x,xvda,w']", "asks for blktap"},
    {"disk = ['/x.img, raw, xvda, rw']", NULL},
    {"disk = ['format=qcow2, vdev=xvda, target=/x']", "format qcow2 is not served"},
    {"disk = ['vdev=xvda, access=ro, target=/a,b']", NULL},
    {"disk = ['file:x.img,xvda,w']", "needs the whole path"},
    {"disk = [1]", "must be a list of strings"},
    {"vif = ['']", NULL},
    {"vif = ['mac=00:16:3e:00:00:01,bridge=xenbr0,rate=10Mb/s@20ms']", NULL},
    {"vif = ['mac=01:00:5e:00:00:01']", "multicast"},
    {"vif = ['mac=zz']", "is no MAC address"},
    {"vif = ['bridge']", "without a value"},
    {"vif = ['bridge=toolongbridgename']", "is no name for a bridge"},
    {"vif = ['speed=3']", "has no option speed"},
    {"vif = ['rate=fast']", "is no rate"},
    {"vif = ['ip=10.0.0.5 10.1.0.0/24 2001:db8::5, antispoof=on']", NULL},
    {"vif = ['ip=10.0.0.256']", "is no IP address"},
    {"vif = ['ip=10.0.0.1/33']", "is no IP address"},
    {"vif = ['ip=224.0.0.1']", "is no address that a guest can have"},
    {"vif = ['ip=0.0.0.0/0']", "is no address that a guest can have"},
    {"vif = ['antispoof=mac ra']", NULL},
    {"vif = ['antispoof=maybe']", "antispoof has no word"},
    {"vif = ['forward=tcp:8080:80 udp:53:53, script=vif-nat']", NULL},
    {"vif = ['forward=8080:80']", "forwards no port"},
    {"vif = ['forward=tcp:0:80']", "forwards no port"},
    {"vif = ['forward=tcp:65536:80']", "forwards no port"},
    {"vif = ['forward=tcp:80:80 tcp:80:81']", "port 80 twice"},
    {"vif = ['vifname=web-%i']", NULL},
    {"vif = ['vifname=a b']", "is no name for a network interface"},
    {"vif = ['model=rtl8139']", NULL},
    {"vif = ['mac=00:16:3e:00:00:01', 'mac=00:16:3E:00:00:01']", "Two network cards"},
    {"bootloader = 'pygrub'", "guest disks are never parsed"},
    {"bootloader = ''", NULL},
    {"pci = ['00:1f.0']", "can't be passed"},
    {"builder = 'hvm'", "only para-virtualised"},
    {"builder = 'generic'", NULL},
    {"kernel = 'vmlinuz'", "needs its whole path"},
};

static int read_options(const char *text, struct domain_config *cfg, struct value *warnings,
                        struct error *err)
{
    struct value *v = NULL;
    int rc = cfg_parse("f", text, strlen(text), &v, err);

    rc = rc ? rc : options_read("f", v, cfg, warnings, err);
    value_free(v);
    return rc;
}

static void test_options(void **state)
{
    for (size_t i = 0; i < COUNT(opts); i++) {
        char *text = xprintf("name = 'd'\nkernel = '/k'\n%s", opts[i][0]);
        struct value *warnings = value_list();
        struct domain_config cfg;
        struct error err = {0};
        int rc = read_options(text, &cfg, warnings, &err);

        if (opts[i][1] == NULL ? rc != 0 : rc == 0 || strstr(err.msg, opts[i][1]) == NULL) {
            print_error("%s: %s\n", opts[i][0], rc ? err.msg : "was taken");
            assert_true(false);
        }
        if (rc == 0) {
            domcfg_finish(&cfg);
        }
        value_free(warnings);
        free(text);
    }
}

static void test_warnings(void **state)
{
    struct value *warnings = value_list();
    struct domain_config cfg;
    struct error err;

    assert_int_equal(read_options("name='d'\nkernel='/k'\nmemroy=3\nqwertz=1\nvnc=1\nacpi=0\n",
                                  &cfg, warnings, &err),
                     0);
    assert_int_equal(warnings->count, 3);
    assert_non_null(strstr(warnings->items[0]->string, "f:3:8: there is no option memroy"));
    assert_non_null(strstr(warnings->items[0]->string, "did you mean memory?"));
    assert_null(strstr(warnings->items[1]->string, "did you mean"));
    assert_non_null(strstr(warnings->items[2]->string, "vnc is ignored"));
    domcfg_finish(&cfg);
    value_free(warnings);
}

static void test_override(void **state)
{
    static const char *const words[][2] = {
        {"a=5", "{\"a\":5}"},
        {"a=x y", "{\"a\":\"x y\"}"},
        {"a=['p','q']", "{\"a\":[\"p\",\"q\"]}"},
        {"a=5x", "{\"a\":\"5x\"}"},
        {"a=", "{\"a\":\"\"}"},
        {"a=b=c", "{\"a\":\"b=c\"}"},
        {"a=[broken", "{\"a\":\"[broken\"}"},
    };
    struct error err;

    for (size_t i = 0; i < COUNT(words); i++) {
        struct value *v = value_dict();
        char *json;

        assert_int_equal(cfg_override(v, words[i][0], &err), 0);
        json = json_write(v, false);
        assert_string_equal(json, words[i][1]);
        free(json);
        value_free(v);
    }
    assert_int_not_equal(cfg_override(NULL, "nothing", &err), 0);
}

static void test_disk_numbers(void **state)
{
    static const struct {
        const char *name;
        uint32_t number;
    } rows[] = {{"xvda", 51712}, {"xvda1", 51713},     {"xvdb", 51728},  {"xvdq", 268439552},
                {"sda", 2048},   {"sdb3", 2067},       {"hda", 768},     {"hdb1", 833},
                {"hdc", 5632},   {"xvdaa", 268442112}, {"51712", 51712}, {"/dev/xvda", 51712}};
    uint32_t number;

    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(disk_number(rows[i].name, &number), 0);
        assert_int_equal(number, rows[i].number);
    }
    assert_int_not_equal(disk_number("xvd", &number), 0);
    assert_int_not_equal(disk_number("xvda0", &number), 0);
    assert_int_not_equal(disk_number("xvdA", &number), 0);
    assert_int_not_equal(disk_number("sdzz", &number), 0);
    assert_int_not_equal(disk_number("", &number), 0);
}

static void test_rates(void **state)
{
    uint64_t bytes, us;

    assert_int_equal(vif_rate("10Mb/s", &bytes, &us), 0);
    assert_int_equal(bytes, 62500);
    assert_int_equal(us, 50000);
    assert_int_equal(vif_rate("1GB/s@20ms", &bytes, &us), 0);
    assert_int_equal(bytes, 20000000);
    assert_int_not_equal(vif_rate("0Mb/s", &bytes, &us), 0);
    assert_int_not_equal(vif_rate("10Mb", &bytes, &us), 0);
    assert_int_not_equal(vif_rate("1b/s@1us", &bytes, &us), 0);
}

static void test_cpusets(void **state)
{
    struct cpuset set;
    char *text;

    assert_int_equal(cpuset_parse("0-3,^1,5", &set, NULL), 0);
    text = cpuset_format(&set, 8);
    assert_string_equal(text, "0,2-3,5");
    free(text);
    assert_int_equal(cpuset_parse("all", &set, NULL), 0);
    text = cpuset_format(&set, 8);
    assert_string_equal(text, "any cpu");
    free(text);
    assert_int_not_equal(cpuset_parse("1,^1", &set, NULL), 0);
    assert_int_not_equal(cpuset_parse("3-1", &set, NULL), 0);
    assert_int_not_equal(cpuset_parse("1,", &set, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),         cmocka_unit_test(test_bad),
        cmocka_unit_test(test_deep),         cmocka_unit_test(test_options),
        cmocka_unit_test(test_warnings),     cmocka_unit_test(test_override),
        cmocka_unit_test(test_disk_numbers), cmocka_unit_test(test_rates),
        cmocka_unit_test(test_cpusets),
    };

    setenv("CMOCKA_MESSAGE_OUTPUT", "TAP", 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
