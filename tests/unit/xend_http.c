/*
 * Who may speak with xend over HTTP: what this proves. The UNIX socket asks for nothing; on TCP a
 * request without the secret, or with a wrong one, is refused before any of its body is taken, with
 * the right one served; web pages are not; unknown paths and methods are errors; the secret's file
 * must be closed to others, and the address this machine's own.
 */
#include "tests/unit/xend_env.h"

#include "xend/events.h"
#include "xend/http.h"
#include "xend/settings.h"
#include "xm/client.h"
#include "xm/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define SECRET "a-secret-of-some-length"
#define RIGHT  "Authorization: Bearer " SECRET "\r\n"
#define WRONG  "Authorization: Bearer a-secret-of-same-length\r\n"

static char folder[] = "/tmp/xend-http-XXXXXX", token[64], path[64];

static void write_token(mode_t mode)
{
    FILE *f = fopen(token, "w");

    assert_non_null(f);
    fprintf(f, SECRET "\n");
    fclose(f);
    assert_int_equal(chmod(token, mode), 0);
}

/* A TCP port that is free now. */
static uint32_t free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&a, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &size), 0);
    close(fd);
    return ntohs(a.sin_port);
}

static int connect_to(bool tcp)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons((uint16_t)settings.tcp_port)};
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct timeval limit = {.tv_sec = 5};
    int fd = socket(tcp ? AF_INET : AF_UNIX, SOCK_STREAM, 0);

    snprintf(local.sun_path, sizeof(local.sun_path), "%s", path);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    assert_int_equal(connect(fd, tcp ? (struct sockaddr *)&v4 : (struct sockaddr *)&local,
                             tcp ? sizeof(v4) : sizeof(local)),
                     0);
    return fd;
}

/* The answer's status; 0: none in five seconds. */
static int ask(bool tcp, const char *request)
{
    int fd = connect_to(tcp), status = 0;
    char answer[64] = "";
    ssize_t n;

    assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
    n = recv(fd, answer, sizeof(answer) - 1, 0);
    if (n > 0) {
        sscanf(answer, "HTTP/1.%*d %d", &status);
    }
    close(fd);
    return status;
}

static void test_secret(void **state)
{
    /* The body is announced and never comes. */
    static const char post[] = "POST /json HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n";
    char request[300];

    snprintf(request, sizeof(request), "%s\r\n", post);
    assert_int_equal(ask(true, request), 401);
    snprintf(request, sizeof(request), "%s" WRONG "\r\n", post);
    assert_int_equal(ask(true, request), 401);
    assert_int_equal(ask(true, "GET /events HTTP/1.1\r\nHost: x\r\n\r\n"), 401);
    assert_int_equal(ask(true, "GET /metrics HTTP/1.1\r\nHost: x\r\n" WRONG "\r\n"), 401);
    assert_int_equal(ask(true, "GET /nothing HTTP/1.1\r\nHost: x\r\n" RIGHT "\r\n"), 404);
    assert_int_equal(
        ask(true, "POST /json HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n" RIGHT "\r\n{}"), 200);
}

static void test_local(void **state)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 077, 0);
    assert_int_equal(ask(false, "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"), 404);
    assert_int_equal(ask(false, "PUT /json HTTP/1.1\r\nHost: x\r\n\r\n"), 405);
    assert_int_equal(ask(false, "POST /json HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"),
                     200);
    assert_int_equal(ask(false, "GET /events HTTP/1.1\r\nHost: x\r\nOrigin: http://y\r\n\r\n"),
                     403);
}

/* What http_start() refuses. */
static void test_refused(void **state)
{
    struct error err = {0};

    settings.tcp_port = free_port();
    write_token(0644);
    assert_int_equal(http_start(&err), -EPERM);
    http_stop();
    write_token(0600);
    free(settings.tcp_address);
    settings.tcp_address = strdup("0.0.0.0");
    assert_int_equal(http_start(&err), -EINVAL);
    http_stop();
    free(settings.tcp_address);
    settings.tcp_address = strdup("127.0.0.1");
}

static int start(void **state)
{
    struct error err = {0};

    settings.tcp_port = free_port();
    return http_start(&err);
}

/* A client that follows the events in a thread. */
struct follower {
    int stop, rc;
    sem_t begun, seen;
    long switches; /* how often the thread has gone to sleep between begun and its end */
};

static long sleeps(void)
{
    struct rusage usage;

    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nvcsw;
}

static bool on_line(const char *line, void *arg)
{
    struct follower *f = arg;

    if (strcmp(line, ":") == 0) {
        f->switches = -sleeps();
        sem_post(&f->begun);
    } else if (strstr(line, "told") != NULL) {
        sem_post(&f->seen);
    }
    return true;
}

static void *follow(void *arg)
{
    struct follower *f = arg;
    struct error err;

    f->rc = http_get_lines(path, "/events", on_line, f, f->stop, &err);
    f->switches += sleeps();
    return NULL;
}

static void test_events(void **state)
{
    struct follower f = {.stop = eventfd(0, EFD_CLOEXEC)};
    struct timespec before, after;
    pthread_t thread;

    sem_init(&f.begun, 0, 0);
    sem_init(&f.seen, 0, 0);
    assert_int_equal(pthread_create(&thread, NULL, follow, &f), 0);
    sem_wait(&f.begun);
    event_domain("told", "somebody", "", 1);
    sem_wait(&f.seen);
    usleep(2000000);
    clock_gettime(CLOCK_MONOTONIC, &before);
    eventfd_write(f.stop, 1);
    pthread_join(thread, NULL);
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_int_equal(f.rc, 0);
    /* It comes with several bytes of the event, and once for the end: not ten times a second. */
    assert_in_range(f.switches, 1, 10);
    /* xend says something every ten seconds: it was not that. */
    assert_in_range(after.tv_sec - before.tv_sec, 0, 5);
    close(f.stop);
}

static volatile bool flag;

static bool flag_is_set(void *arg)
{
    sem_post(arg);
    return flag;
}

static void *set_flag(void *arg)
{
    sem_wait(arg); /* it has looked once */
    flag = true;
    event_domain("told", "somebody", "", 1);
    return NULL;
}

/* client_wait() looks at once, when something happens, and no longer than it is let. */
static void test_wait(void **state)
{
    int end = eventfd(0, EFD_CLOEXEC);
    time_t start = time(NULL);
    struct error err;
    pthread_t thread;
    sem_t looked;

    client_server(path);
    sem_init(&looked, 0, 0);
    assert_int_equal(pthread_create(&thread, NULL, set_flag, &looked), 0);
    assert_int_equal(client_wait(flag_is_set, &looked, end, &err), 0);
    pthread_join(thread, NULL);
    eventfd_write(end, 1);
    flag = false;
    assert_int_equal(client_wait(flag_is_set, &looked, end, &err), -ETIME);
    assert_in_range(time(NULL) - start, 0, 5);
    client_server("/nowhere");
    assert_int_equal(client_wait(flag_is_set, &looked, -1, &err), -ECONNREFUSED);
    close(end);
}

static int stop(void **state)
{
    http_stop();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test_setup_teardown(test_secret, start, stop),
        cmocka_unit_test_setup_teardown(test_local, start, stop),
        cmocka_unit_test_setup_teardown(test_events, start, stop),
        cmocka_unit_test_setup_teardown(test_wait, start, stop),
    };
    int rc;

    if (mkdtemp(folder) == NULL) {
        return 1;
    }
    settings_init();
    snprintf(token, sizeof(token), "%s/token", folder);
    snprintf(path, sizeof(path), "%s/socket", folder);
    free(settings.socket);
    settings.socket = path;
    settings.tcp_token_file = token;
    rc = cmocka_run_group_tests_name("xend: http", tests, NULL, NULL);
    unlink(token);
    rmdir(folder);
    return rc;
}
