/*
 * Fuzzes JSON documents: what is read can be written and read again, and is the same.
 */
#include "tests/fuzz/fuzz.h"

#include "xend/lib/json.h"
#include "xend/lib/sxp.h"

static const struct fuzz_bytes seeds[] = {
    FUZZ_SEED("{\"jsonrpc\":\"2.0\",\"method\":\"xend.domains\",\"params\":[1,0],\"id\":7}"),
    FUZZ_SEED(
        "[{\"jsonrpc\":\"2.0\",\"method\":\"xend.domain\",\"params\":[\"a\"],\"id\":null},[]]"),
    FUZZ_SEED(
        "{\"version\":1,\"phase\":\"running\",\"config\":[\"vm\",[\"name\",\"a\"],[\"memory\",64]]}"),
    FUZZ_SEED("[1.5e3,-7,true,false,null,\"\\u00e4\\n\",[[[[]]]]]"),
};
FUZZ_SEEDS(seeds)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct value *v = NULL, *again = NULL, *object;
    struct error err = {0};
    char *text;

    if (json_read((const char *)data, size, &v, &err) != 0) {
        if (err.msg[0] == '\0') {
            abort();
        }
        return 0;
    }
    text = json_write(v, false);
    if (json_read(text, strlen(text), &again, &err) != 0) {
        abort();
    }
    object = sxp_to_object(v);
    free(text);
    text = sxp_print(v);
    free(text);
    value_free(object);
    value_free(v);
    value_free(again);
    return 0;
}
