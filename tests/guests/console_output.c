/*
 * Much output, and at once the end. Proves that all of it comes out, in order: each line is a
 * result that the plan counts. 2000 lines are several times what the serial driver's ring holds, so
 * that it is full, and the last ones are in it when the machine is switched off.
 */
#include "guest.h"

#define LINES 2000u

void test_main(void)
{
    for (unsigned int i = 1; i <= LINES; i++) {
        tap_ok(true, "line %u of many lines that follow each other as fast as they can be written",
               i);
    }
}
