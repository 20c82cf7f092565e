/*
 * Fuzz targets for text: configuration files, XML-RPC, JSON. Each is a file with these; config_main.c
 * runs one for some seconds, clang's libFuzzer runs it for longer.
 */
#ifndef TESTS_FUZZ_CONFIG_FUZZ_H
#define TESTS_FUZZ_CONFIG_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const char *const fuzz_seeds[];
extern const size_t fuzz_seed_count;

#endif
