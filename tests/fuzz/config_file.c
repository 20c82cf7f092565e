/*
 * Fuzzes configuration files: whatever the text, it is either refused with a sentence or becomes a
 * configuration that survives the way through an S-expression.
 */
#include "tests/fuzz/fuzz.h"

#include "xend/lib/cfg_parse.h"
#include "xend/lib/options.h"
#include "xend/lib/sxp.h"

static const struct fuzz_bytes seeds[] = {
    FUZZ_SEED("name = \"web\"\nmemory = 512; vcpus = 2\nkernel = '/boot/' + 'vmlinuz'\n"),
    FUZZ_SEED(
        "name='a'\nkernel='/k'\ndisk = [ 'phy:/dev/vg/web,xvda,w', 'file:/srv/x.img,xvdb1,r' ]\n"),
    FUZZ_SEED(
        "name='a'\nkernel='/k'\nvif = [ 'mac=00:16:3e:01:02:03, bridge=br0, rate=10Mb/s@20ms', '' ]\n"),
    FUZZ_SEED(
        "name='a'\nkernel='/k'\ncpus = ['0-3,^2', 'all']\nextra = '''a\n b''' r'\\x' \\\n 'c'\n"),
    FUZZ_SEED(
        "name='a'\nkernel='/k'\nmaxmem=0x400\nmemory=-1\non_crash='preserve' # x\nx = {'k': [1, (2,)]}"),
    FUZZ_SEED(
        "disk = ['format=raw, vdev=hda1, access=ro, devtype=cdrom, target=/a,b']\ndisk += ['']"),
};
FUZZ_SEEDS(seeds)

static void round_trip(const struct domain_config *cfg)
{
    struct value *sxp = sxp_new("vm");
    struct domain_config again;
    struct error err = {0};

    domcfg_to_sxp(cfg, sxp);
    if (domcfg_from_sxp(sxp, &again, &err) != 0) {
        abort();
    }
    domcfg_finish(&again);
    value_free(sxp);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct value *config = NULL, *warnings;
    struct domain_config cfg;
    struct error err = {0};

    if (cfg_parse("f", (const char *)data, size, &config, &err) != 0) {
        if (err.msg[0] == '\0') {
            abort();
        }
        return 0;
    }
    warnings = value_list();
    if (options_read("f", config, &cfg, warnings, &err) == 0) {
        round_trip(&cfg);
        domcfg_finish(&cfg);
    } else if (err.msg[0] == '\0') {
        abort();
    }
    value_free(warnings);
    value_free(config);
    return 0;
}
