/*
 * Values on the wire: S-expressions, JSON and XML-RPC, there and back; and hostile documents.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#undef fail /* ours is in xend/lib/error.h */

#include "xend/lib/alloc.h"
#include "xend/lib/domcfg.h"
#include "xend/lib/json.h"
#include "xend/lib/sxp.h"
#include "xend/lib/xmlrpc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct value *parse(const char *json)
{
    struct value *v = NULL;
    struct error err;

    if (json_read(json, strlen(json), &v, &err) != 0) {
        print_error("%s\n", err.msg);
        assert_true(false);
    }
    return v;
}

static const char *const documents[] = {
    "[]",
    "{}",
    "[1,-7,2147483648,\"x\",true,null,1.5]",
    "{\"a\":{\"b\":[{\"c\":[]}]}}",
    "[\"domain\",[\"domid\",3],[\"name\",\"web\"]]",
};

static void test_json(void **state)
{
    for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
        struct value *v = parse(documents[i]), *copy = value_copy(v);
        char *text = json_write(copy, false);

        assert_string_equal(text, documents[i]);
        assert_true(value_equal(v, copy));
        free(text);
        value_free(v);
        value_free(copy);
    }
}

static void test_json_bad(void **state)
{
    static const char *const bad[] = {"", "{", "[1,]x", "{\"a\"}", "1 2", "nul", "[1"};
    char deep[200];
    struct value *v;
    struct error err;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_not_equal(json_read(bad[i], strlen(bad[i]), &v, &err), 0);
    }
    memset(deep, '[', sizeof(deep));
    assert_int_not_equal(json_read(deep, sizeof(deep), &v, &err), 0);
}

/* Nothing travels as an empty string in XML-RPC, everything else as it is. */
static void test_xmlrpc(void **state)
{
    struct value *args = parse("[[1,-7,5000000000,\"x<&>\",true,1.5],{\"a\":[[]]}]"), *back;
    struct error err = {0};
    char *xml = NULL, *method = NULL;
    int fault = 0;

    assert_int_equal(xmlrpc_write_call("xend.test", args, &xml, &err), 0);
    assert_int_equal(xmlrpc_read_call(xml, strlen(xml), &method, &back, &err), 0);
    assert_string_equal(method, "xend.test");
    assert_true(value_equal(args, back));
    value_free(back);
    free(xml);
    free(method);
    xml = xmlrpc_write_answer(args);
    assert_int_equal(xmlrpc_read_answer(xml, strlen(xml), &back, &fault, &err), 0);
    assert_true(value_equal(args, back));
    value_free(back);
    free(xml);
    xml = xmlrpc_write_fault(FAULT_NO_DOMAIN, "There is no domain <x>.");
    assert_int_equal(xmlrpc_read_answer(xml, strlen(xml), &back, &fault, &err), -EREMOTEIO);
    assert_int_equal(fault, FAULT_NO_DOMAIN);
    assert_string_equal(err.msg, "There is no domain <x>.");
    free(xml);
    value_free(args);
}

/* The list of a thousand domains, some kilobytes each, is longer than xmlrpc-c takes by itself. */
static void test_xmlrpc_long(void **state)
{
    struct value *list = value_list(), *back = NULL;
    struct error err = {0};
    char text[5000], *xml;
    int fault = 0;

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    for (unsigned i = 0; i < 1000; i++) {
        list_add(list, value_string(text));
    }
    xml = xmlrpc_write_answer(list);
    assert_int_equal(xmlrpc_read_answer(xml, strlen(xml), &back, &fault, &err), 0);
    assert_true(value_equal(list, back));
    value_free(back);
    free(xml);
    value_free(list);
}

static void test_xmlrpc_bad(void **state)
{
    static const char *const bad[] = {
        "",
        "<",
        "<methodCall/>",
        "<methodCall><methodName>a</methodName><params><param><value><int>x</int></value></param>"
        "</params></methodCall>",
        "<methodCall><methodName>a</methodName><params><param><value><base64>QQ==</base64></value>"
        "</param></params></methodCall>",
        "<!DOCTYPE x [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]><methodCall>&b;</methodCall>",
    };
    char *method;
    struct value *args;
    struct error err;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(xmlrpc_read_call(bad[i], strlen(bad[i]), &method, &args, &err), -EBADMSG);
    }
}

/* What a guest wrote into the store spoils no answer. */
static void test_hostile_text(void **state)
{
    static const char *const rows[][2] = {
        {"a\x01"
         "b",
         "a?b"},
        {"\xff\xfe", "??"},
        {"\xc3\xa4", "\xc3\xa4"},
        {"\xc0\x80", "??"},
        {"\xed\xa0\x80", "???"},
        {"\xe2\x82", "??"},
        {"\xf4\x90\x80\x80", "????"},
        {"x\ty\nz", "x\ty\nz"},
        {"\xef\xbf\xbf", "???"},
        {"]]>&<", "]]>&<"},
    };
    struct error err = {0};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct value *v = value_string(rows[i][0]), *back = NULL;
        char *xml = xmlrpc_write_answer(v), *json = json_write(v, false);
        int fault;

        assert_int_equal(xmlrpc_read_answer(xml, strlen(xml), &back, &fault, &err), 0);
        assert_string_equal(back->string, rows[i][1]);
        value_free(back);
        assert_int_equal(json_read(json, strlen(json), &back, &err), 0);
        assert_string_equal(back->string, rows[i][1]);
        value_free(back);
        value_free(v);
        free(xml);
        free(json);
    }
}

static void test_sxp(void **state)
{
    struct value *sxp = parse("[\"domain\",[\"domid\",3],[\"name\",\"web\"],[\"device\",[\"vif\","
                              "[\"mac\",\"a\"]]],[\"device\",[\"vbd\",[\"dev\",\"b\"]]]]");
    struct value *object = sxp_to_object(sxp);
    char *text = json_write(object, false);

    assert_int_equal(sxp_get_int(sxp, "domid", -1), 3);
    assert_string_equal(sxp_get_text(sxp, "name", ""), "web");
    assert_null(sxp_get(sxp, "nothing"));
    assert_string_equal(text, "{\"domid\":3,\"name\":\"web\",\"device\":[{\"mac\":\"a\",\"class\":"
                              "\"vif\"},{\"dev\":\"b\",\"class\":\"vbd\"}]}");
    free(text);
    text = sxp_print(sxp);
    assert_non_null(strstr(text, "(name web)"));
    free(text);
    value_free(object);
    value_free(sxp);
}

/* What is written can be read again, and means the same. */
static void test_domcfg(void **state)
{
    struct value *first = parse(
        "[\"vm\",[\"name\",\"d\"],[\"memory\",\"64\"],[\"vcpus\",4],[\"vcpu_avail\",3],"
        "[\"uuid\",\"6f9619ff-8b86-d011-b42d-00cf4fc964ff\"],[\"cpus\",[[0,1],[2]]],"
        "[\"on_crash\",\"preserve\"],[\"image\",[\"linux\",[\"kernel\",\"/k\"],[\"args\",\"q\"],"
        "[\"root\",\"/dev/xvda ro\"]]],[\"device\",[\"vbd\",[\"uname\",\"phy:vg/x\"],[\"dev\","
        "\"xvda:disk\"],[\"mode\",\"w\"]]],[\"device\",[\"vif\",[\"bridge\",\"br0\"]]]]");
    struct value *second = sxp_new("vm"), *third = sxp_new("vm");
    struct domain_config cfg;
    struct error err = {0};
    char *cmdline;

    assert_int_equal(domcfg_from_sxp(first, &cfg, &err), 0);
    assert_int_equal(cfg.vcpus, 2);
    assert_int_equal(cfg.maxvcpus, 4);
    assert_string_equal(cfg.disks[0].path, "/dev/vg/x");
    assert_string_equal(cfg.cpus[0], "0,1");
    cmdline = domcfg_cmdline(&cfg);
    assert_string_equal(cmdline, "root=/dev/xvda ro q");
    free(cmdline);
    domcfg_to_sxp(&cfg, second);
    domcfg_finish(&cfg);
    assert_int_equal(domcfg_from_sxp(second, &cfg, &err), 0);
    domcfg_to_sxp(&cfg, third);
    domcfg_finish(&cfg);
    assert_true(value_equal(second, third));
    value_free(first);
    value_free(second);
    value_free(third);
}

static int begin(void **state)
{
    return xmlrpc_library_init(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),       cmocka_unit_test(test_json_bad),
        cmocka_unit_test(test_xmlrpc),     cmocka_unit_test(test_xmlrpc_long),
        cmocka_unit_test(test_xmlrpc_bad), cmocka_unit_test(test_hostile_text),
        cmocka_unit_test(test_sxp),        cmocka_unit_test(test_domcfg),
    };

    setenv("CMOCKA_MESSAGE_OUTPUT", "TAP", 0);
    return cmocka_run_group_tests(tests, begin, NULL);
}
