/* The note with the build's identity, which the linker puts at the start of the image's constants.
 */
#include <hospes/arch.h>
#include <hospes/lib.h>

#define NOTE_BUILD_ID 3u /* NT_GNU_BUILD_ID, name "GNU" */

struct note {
    uint32_t name_bytes, bytes, type;
    char name[4]; /* as long as this one's */
    uint8_t content[];
};
extern const char _srodata[], _ebuild_id[]; /* linker script */

unsigned int arch_build_id(const uint8_t **id)
{
    const struct note *n = (const struct note *)(const void *)_srodata;
    size_t size = (size_t)(_ebuild_id - _srodata);

    if (size < sizeof(*n) || n->type != NOTE_BUILD_ID || n->name_bytes != sizeof(n->name) ||
        memcmp(n->name, "GNU", sizeof(n->name)) != 0 || n->bytes > size - sizeof(*n)) {
        return 0;
    }
    *id = n->content;
    return n->bytes;
}
