/* Prints how much memory domains own or could be given, in KiB: the machine's memory less this is
 * what the hypervisor keeps for itself (bench/run does the subtraction). Runs in Domain 0; asks
 * through privcmd, with the interface of <xen/sysctl.h> and <xen/domctl.h>, so that the same
 * program measures every hypervisor that has it. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define __XEN_TOOLS__ 1
#include <xen/domctl.h>
#include <xen/sysctl.h>

/* Linux's <xen/privcmd.h>: struct privcmd_hypercall and its ioctl. */
struct privcmd_call {
    uint64_t number;
    uint64_t arguments[5];
};
#define PRIVCMD_CALL _IOC(_IOC_NONE, 'P', 0, sizeof(struct privcmd_call))

static int call(int fd, uint64_t number, void *argument)
{
    struct privcmd_call request = {.number = number, .arguments = {(uint64_t)(uintptr_t)argument}};

    return ioctl(fd, PRIVCMD_CALL, &request);
}

/* Sums the pages of all domains into *pages; 0 or -1. */
static int domain_pages(int fd, void *buffer, uint64_t *pages)
{
    xen_domctl_t *op = buffer;

    *pages = 0;
    for (domid_t next = 0;;) {
        memset(op, 0, sizeof(*op));
        op->cmd = XEN_DOMCTL_getdomaininfo;
        op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
        op->domain = next;
        if (call(fd, __HYPERVISOR_domctl, op)) {
            return errno == ESRCH && next ? 0 : -1;
        }
        if (op->domain < next) {
            return 0;
        }
        *pages += op->u.getdomaininfo.tot_pages;
        next = (domid_t)(op->domain + 1);
    }
}

int main(void)
{
    int fd = open("/dev/xen/privcmd", O_RDWR | O_CLOEXEC);
    void *buffer =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);
    xen_sysctl_t *op = buffer;
    uint64_t unused, owned;

    if (fd < 0 || buffer == MAP_FAILED) {
        perror("privcmd");
        return 1;
    }
    memset(op, 0, sizeof(*op));
    op->cmd = XEN_SYSCTL_physinfo;
    op->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    if (call(fd, __HYPERVISOR_sysctl, op)) {
        perror("XEN_SYSCTL_physinfo");
        return 1;
    }
    unused = op->u.physinfo.free_pages;
    if (domain_pages(fd, buffer, &owned)) {
        perror("XEN_DOMCTL_getdomaininfo");
        return 1;
    }
    printf("bench domains_memory_kib %llu\n", (unsigned long long)(unused + owned) * 4);
    return 0;
}
