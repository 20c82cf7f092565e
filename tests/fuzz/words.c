/*
 * Words of configuration files, JSON and XML: what random bytes would take years to spell.
 */
#include "tests/fuzz/fuzz.h"

const char *const fuzz_words[] = {
    "[",    "]",     "(",        ")",    "{",    "}",       "'",         "\"",
    "'''",  "\\",    ",",        "=",    "+=",   "-",       "\n",        "#",
    "0x",   "1e999", "None",     "\\x",  "<",    ">",       "&lt;",      "&#0;",
    "null", ":",     "</value>", "<i8>", "\xff", "<array>", "<![CDATA[", "99999999999999999999",
    NULL};
