/*
 * dnsmasq for NAT mode. Contract: dnsmasq.h.
 */
#include "network/dnsmasq.h"

#include "network/process.h"
#include "xend/lib/alloc.h"
#include "xend/log.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define START_S   10
#define STOP_MS   3000
#define PAUSE_S   1  /* before one that died is started again... */
#define PAUSE_MAX 60 /* ...twice as long each time, up to this */
#define LEASE     "1h"

static char *folder;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool wanted, watched; /* under the lock */
static pthread_cond_t wanted_again = PTHREAD_COND_INITIALIZER;
static char *program, *config_path; /* set before the watcher starts, then never changed */

static char *file(const char *name)
{
    return xprintf("%s/%s", folder ? folder : "/run/hospes/nat", name);
}

void dnsmasq_folder(const char *path)
{
    str_set(&folder, path);
}

static const char *find_program(void)
{
    static const char *const places[] = {"/usr/sbin/dnsmasq", "/usr/local/sbin/dnsmasq",
                                         "/sbin/dnsmasq", "/usr/bin/dnsmasq"};

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (access(places[i], X_OK) == 0) {
            return places[i];
        }
    }
    return NULL;
}

int dnsmasq_check(struct error *err)
{
    if (find_program() == NULL) {
        return fail(err, ENOENT,
                    "NAT mode gives guests their addresses by dnsmasq, which Domain 0 does not "
                    "have: install it (Debian: apt install dnsmasq-base), or put the card on a "
                    "bridge.");
    }
    return 0;
}

/* A whole file at once: whoever reads it sees the old text or the new one. */
static int write_file(const char *name, const char *text, struct error *err)
{
    auto_str path = file(name);
    auto_str fresh = xprintf("%s.new", path);
    FILE *out = fopen(fresh, "we");
    bool ok = out != NULL && fputs(text, out) >= 0;

    if (out != NULL) {
        fchmod(fileno(out), 0644); /* dnsmasq reads it without root's rights */
        ok = fclose(out) == 0 && ok;
    }
    if (!ok || rename(fresh, path) != 0) {
        return fail(err, errno, "%s cannot be written: %s.", path, strerror(errno));
    }
    return 0;
}

static int make_folder(struct error *err)
{
    auto_str path = file("");

    for (char *p = path + 1; *p != '\0'; p++) {
        if (*p == '/') {
            *p = '\0';
            /* Whatever our umask is: dnsmasq is another user. */
            if ((mkdir(path, 0755) != 0 || chmod(path, 0755) != 0) && errno != EEXIST) {
                return fail(err, errno, "The folder %s cannot be made: %s.", path, strerror(errno));
            }
            *p = '/';
        }
    }
    return 0;
}

/* The unprivileged user it becomes: its own, where the package has made one. */
static const char *user(void)
{
    return getpwnam("dnsmasq") != NULL ? "dnsmasq" : getpwnam("nobody") != NULL ? "nobody" : "root";
}

static int write_config(const struct dnsmasq_config *c, struct error *err)
{
    auto_str hosts = file("hosts");
    auto_str names = file("names");
    auto_str leases = file("leases");
    auto_str pid = file("pid");
    auto_str log = file("log");
    auto_str six = c->prefix6
                       ? xprintf("enable-ra\ndhcp-range=%s,ra-stateless,64," LEASE "\n", c->prefix6)
                       : xstrdup("");
    auto_str text = xprintf("# Made by xend: see network/dnsmasq.h of Hospes.\n"
                            "interface=%s\nexcept-interface=lo\nbind-dynamic\nuser=%s\n"
                            "dhcp-range=%s,static,%s," LEASE "\n"
                            "dhcp-option=option:router,%s\ndhcp-option=option:dns-server,%s\n"
                            "dhcp-authoritative\ndhcp-hostsfile=%s\ndhcp-leasefile=%s\n"
                            "no-hosts\naddn-hosts=%s\ndomain-needed\nbogus-priv\n"
                            "pid-file=%s\nlog-facility=%s\n%s",
                            c->bridge, user(), c->first, c->mask, c->address, c->address, hosts,
                            leases, names, pid, log, six);

    return write_file("dnsmasq.conf", text, err);
}

/* Is this process the dnsmasq that was started with our configuration? */
static bool is_ours(int pid)
{
    auto_str path = xprintf("/proc/%d/cmdline", pid);
    auto_str config = file("dnsmasq.conf");
    auto_str wanted_word = xprintf("--conf-file=%s", config);
    char line[512] = "";
    FILE *in = fopen(path, "re");
    size_t n = in != NULL ? fread(line, 1, sizeof(line) - 1, in) : 0;
    bool found = false;

    for (size_t i = 0; i < n; i += strlen(line + i) + 1) {
        found = found || strcmp(line + i, wanted_word) == 0;
    }
    if (in != NULL) {
        fclose(in);
    }
    return found;
}

int dnsmasq_pid(void)
{
    auto_str path = file("pid");
    FILE *in = fopen(path, "re");
    int pid = 0;

    if (in != NULL) {
        if (fscanf(in, "%d", &pid) != 1) {
            pid = 0;
        }
        fclose(in);
    }
    return pid > 1 && is_ours(pid) ? pid : 0;
}

/* It goes into the background by itself once it serves, and says why if it can't. */
static int launch(struct error *err)
{
    auto_str option = xprintf("--conf-file=%s", config_path);
    char *argv[] = {program, option, NULL}, *envp[] = {NULL};
    char said[PROCESS_SAID];
    int r = process_run(argv, envp, START_S, said, err);

    return r > 0 ? fail(err, EIO, "dnsmasq does not start: %s",
                        said[0] ? said : "it says nothing; see its log.")
                 : r;
}

static void await_end(int pid)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

    if (fd < 0) {
        while (is_ours(pid)) {
            sleep(1);
        }
        return;
    }
    while (poll(&poll_fd, 1, -1) < 0 && errno == EINTR) {
    }
    close(fd);
}

static void await_wanted(void)
{
    pthread_mutex_lock(&lock);
    while (!wanted) {
        pthread_cond_wait(&wanted_again, &lock);
    }
    pthread_mutex_unlock(&lock);
}

static void revive(unsigned *pause)
{
    struct error err;
    int rc;

    log_warn("dnsmasq of NAT mode has ended: it is started again in %u s.", *pause);
    sleep(*pause);
    *pause = *pause * 2 < PAUSE_MAX ? *pause * 2 : PAUSE_MAX;
    pthread_mutex_lock(&lock);
    rc = wanted && dnsmasq_pid() == 0 ? launch(&err) : 0;
    pthread_mutex_unlock(&lock);
    if (rc != 0) {
        log_error("%s", err.msg);
    }
}

static void *watch(void *arg)
{
    unsigned pause = PAUSE_S;

    for (;;) {
        int pid;

        await_wanted();
        pid = dnsmasq_pid();
        if (pid != 0) {
            time_t since = time(NULL);

            await_end(pid);
            pause = time(NULL) - since > PAUSE_MAX ? PAUSE_S : pause;
        } else {
            revive(&pause);
        }
    }
    return NULL;
}

/* With the lock. They never change. */
static void find_files(void)
{
    if (program == NULL) {
        program = xstrdup(find_program());
        config_path = file("dnsmasq.conf");
    }
}

int dnsmasq_start(const struct dnsmasq_config *config, struct error *err)
{
    int rc = dnsmasq_check(err);

    rc = rc ? rc : make_folder(err);
    if (rc != 0) {
        return rc;
    }
    pthread_mutex_lock(&lock);
    find_files();
    if (dnsmasq_pid() == 0) {
        rc = write_config(config, err);
        rc = rc ? rc : launch(err);
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

void dnsmasq_watch(void)
{
    pthread_t thread;

    pthread_mutex_lock(&lock);
    if (dnsmasq_check(NULL) == 0) {
        find_files();
        wanted = true;
        pthread_cond_signal(&wanted_again);
    }
    if (wanted && !watched && pthread_create(&thread, NULL, watch, NULL) == 0) {
        pthread_detach(thread);
        watched = true;
    }
    pthread_mutex_unlock(&lock);
}

void dnsmasq_unwatch(void)
{
    pthread_mutex_lock(&lock);
    wanted = false;
    pthread_mutex_unlock(&lock);
}

int dnsmasq_hosts(const struct dnsmasq_host *hosts, size_t n, struct error *err)
{
    char *by_mac = NULL, *by_name = NULL;
    size_t size;
    FILE *mac = open_memstream(&by_mac, &size), *name = open_memstream(&by_name, &size);
    int rc, pid;

    for (size_t i = 0; i < n; i++) {
        fprintf(mac, "%s,%s,%s\n", hosts[i].mac, hosts[i].address, hosts[i].name);
        fprintf(name, "%s %s\n", hosts[i].address, hosts[i].name);
        if (hosts[i].address6 != NULL) {
            fprintf(name, "%s %s\n", hosts[i].address6, hosts[i].name);
        }
    }
    fclose(mac);
    fclose(name);
    rc = make_folder(err);
    rc = rc ? rc : write_file("hosts", by_mac, err);
    rc = rc ? rc : write_file("names", by_name, err);
    free(by_mac);
    free(by_name);
    pid = dnsmasq_pid();
    if (rc == 0 && pid != 0) {
        kill(pid, SIGHUP); /* read both files again */
    }
    return rc;
}

/* Any process of it, also one that has not written its process file yet; 0: there is none. */
static int find_process(void)
{
    DIR *dir = opendir("/proc");
    struct dirent *entry;
    int pid = 0;

    while (dir != NULL && pid == 0 && (entry = readdir(dir)) != NULL) {
        int number = atoi(entry->d_name);

        pid = number > 1 && is_ours(number) ? number : 0;
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return pid;
}

static void end_processes(void)
{
    int pid;

    for (int i = 0; (pid = find_process()) != 0 && i < STOP_MS / 10; i++) {
        kill(pid, SIGTERM);
        usleep(10000);
    }
    while ((pid = find_process()) != 0 && kill(pid, SIGKILL) == 0) {
        usleep(10000);
    }
}

void dnsmasq_stop(void)
{
    static const char *const names[] = {"dnsmasq.conf", "hosts", "names", "leases", "pid", "log"};
    auto_str path = file("");

    pthread_mutex_lock(&lock);
    wanted = false;
    end_processes();
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        auto_str name = file(names[i]);

        unlink(name);
    }
    rmdir(path);
    pthread_mutex_unlock(&lock);
}

bool dnsmasq_leased(const char *address, const char *mac)
{
    auto_str path = file("leases");
    FILE *in = fopen(path, "re");
    char its_mac[32], its_address[64];
    long long until;
    bool taken = false;

    while (in != NULL && fscanf(in, "%lld %31s %63s%*[^\n]", &until, its_mac, its_address) == 3) {
        taken = taken || (strcmp(its_address, address) == 0 && strcasecmp(its_mac, mac) != 0 &&
                          until > time(NULL));
    }
    if (in != NULL) {
        fclose(in);
    }
    return taken;
}
