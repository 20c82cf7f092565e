/*
 * Fuzzes XML-RPC calls and what domain creation makes of their arguments.
 */
#include "tests/fuzz/fuzz.h"

#include "xend/lib/domcfg.h"
#include "xend/lib/sxp.h"
#include "xend/lib/xmlrpc.h"

#define CALL(params)                                                                              \
    "<?xml version='1.0'?><methodCall><methodName>xend.domain.create</methodName><params>" params \
    "</params></methodCall>"
#define S(s)       "<value><string>" s "</string></value>"
#define A(x)       "<value><array><data>" x "</data></array></value>"
#define PAIR(k, v) A(S(k) v)

static const struct fuzz_bytes seeds[] = {
    FUZZ_SEED(
        CALL("<param>" A(S("vm") PAIR("name", S("a")) PAIR("memory", "<value><int>64</int></value>")
                             PAIR("image", A(S("linux") PAIR("kernel", S("/k"))))) "</param>")),
    FUZZ_SEED(CALL("<param>" A(S("vm") PAIR("name", S("a")) PAIR(
        "device", A(S("vbd") PAIR("uname", S("phy:/dev/x")) PAIR("dev", S("xvda"))))) "</param>")),
    FUZZ_SEED(CALL(
        "<param><value><struct><member><name>a</name><value><double>1.5</double></value></member>"
        "</struct></value></param><param><value><i8>5000000000</i8></value></param>")),
    FUZZ_SEED(
        CALL("<param><value><boolean>1</boolean></value></param><param><value>x</value></param>")),
};
FUZZ_SEEDS(seeds)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool ready;
    char *method = NULL, *answer;
    struct value *args = NULL;
    struct domain_config cfg;
    struct error err = {0};

    if (!ready) {
        ready = xmlrpc_library_init(&err) == 0;
    }
    if (xmlrpc_read_call((const char *)data, size, &method, &args, &err) != 0) {
        answer = xmlrpc_write_fault(FAULT_PARSE, err.msg);
    } else {
        if (args->count > 0 && domcfg_from_sxp(args->items[0], &cfg, &err) == 0) {
            domcfg_finish(&cfg);
        }
        answer = xmlrpc_write_answer(args);
    }
    if (answer[0] == '\0') {
        abort();
    }
    free(answer);
    free(method);
    value_free(args);
    return 0;
}
