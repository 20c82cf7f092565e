/*
 * The pool of connections to hypervisor and store, inside a running xend: what this proves. Many at
 * a time may be open, a thread gets one that another gave back, and when nothing goes on the open
 * files are exactly what they were, however many there were in between.
 */
#include "tests/unit/xend_env.h"

#include "xend/session.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#define MANY 7

static unsigned open_files(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned n = 0;

    assert_non_null(dir);
    while (readdir(dir) != NULL) {
        n++;
    }
    closedir(dir);
    return n;
}

/* Until the number of open files is `wanted`, at most as long as the loop needs to look twice. */
static unsigned files_come_to(unsigned wanted)
{
    for (int i = 0; i < 150 && open_files() != wanted; i++) {
        usleep(100000);
    }
    return open_files();
}

static void use_many(void)
{
    struct session *s[MANY];
    struct error err;

    for (unsigned i = 0; i < MANY; i++) {
        assert_int_equal(session_get(&s[i], &err), 0);
    }
    for (unsigned i = 0; i < MANY; i++) {
        session_put(s[i]);
    }
}

/* The number of open files when nothing goes on any more: xend's own threads have started, too. */
static unsigned quiet_files(void)
{
    unsigned last = 0, same = 0;

    while (same < 10) {
        unsigned now;

        usleep(50000);
        session_trim();
        now = open_files();
        same = now == last ? same + 1 : 0;
        last = now;
    }
    return last;
}

static void test_quiet(void **state)
{
    unsigned before;

    use_many();
    before = quiet_files();
    use_many();
    assert_in_range(open_files(), before + MANY - 1, UINT32_MAX);
    assert_int_equal(files_come_to(before), before);
}

static void test_reused(void **state)
{
    struct session *first, *second, *again;
    struct error err;

    assert_int_equal(session_get(&first, &err), 0);
    session_put(first);
    session_trim();
    session_trim();
    assert_int_equal(session_get(&again, &err), 0);
    assert_ptr_equal(again, first);
    assert_int_equal(session_get(&second, &err), 0);
    assert_ptr_not_equal(second, first);
    session_put(again);
    session_put(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quiet), /* first: then xend's own threads have started */
        cmocka_unit_test(test_reused),
    };

    setenv("CMOCKA_MESSAGE_OUTPUT", "TAP", 0);
    return cmocka_run_group_tests(tests, env_group_start, env_group_stop);
}
