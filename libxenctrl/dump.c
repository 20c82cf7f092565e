/*
 * dump.c: a PV domain's core dump.
 *
 * The file, from its start: ELF header, section headers, notes (.note.Xen), registers
 * (.xen_prstatus), shared info (.xen_shared_info), then from a page boundary on the pages
 * (.xen_pages), and behind them what is known last: which pages they are (.xen_p2m) and the section
 * names. Pages are written straight from the guest's memory, in the order of their guest frames.
 *
 * Read private.h and p2m.h first. The numbers and structures are those of Xen's tools ("Xen core
 * dump format", version 0.1).
 */
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libxenctrl/p2m.h"
#include <xen/elfnote.h>
#include <xen/version.h>

#define CORE_MAGIC 0xf00febedull /* of a PV domain */
#define BATCH      512u          /* pages mapped at once: one page of the list of frames */
#define MOST_VCPUS 4096u
#define BOUNCE     65536u

enum {
    SECTION_NULL,
    SECTION_NAMES,
    SECTION_NOTES,
    SECTION_PRSTATUS,
    SECTION_SHARED,
    SECTION_PAGES,
    SECTION_P2M,
    NR_SECTIONS,
};

static const char *const section_names[NR_SECTIONS] = {
    "", ".shstrtab", ".note.Xen", ".xen_prstatus", ".xen_shared_info", ".xen_pages", ".xen_p2m",
};

struct note {
    uint32_t name_size, size, type;
    char name[4];
};

/* .note.Xen */
struct notes {
    struct note none;
    struct note header;
    uint64_t magic, nr_vcpus, nr_pages, page_size;
    struct note version;
    uint64_t major, minor;
    char extra[16];
    struct xen_compile_info compile;
    char capabilities[1024];
    char changeset[64];
    uint64_t virt_start, version_page_size;
    struct note format;
    uint64_t format_version; /* major << 32 | minor */
};
_Static_assert(sizeof(struct notes) == 1384, "the notes have no holes");

/* An entry of .xen_p2m. */
struct p2m_entry {
    uint64_t pfn, gmfn;
};

struct dump {
    struct xc_handle *h;
    uint32_t domid;
    int fd;
    xc_dump_progress *progress;
    void *context;
    struct xc_domain_info info;
    uint64_t max_mfn;
    struct shared_info *shared; /* a copy, in a page of its own */
    struct vcpu_guest_context *vcpus;
    uint32_t nr_vcpus;
    struct p2m_entry *entries;
    uint64_t nr_entries;
    uint64_t pages_at; /* offset in the file */
};

static int write_failed(struct dump *d, int rc)
{
    return xc_fail(d->h, rc, "The core dump can't be written: %s.", strerror(-rc));
}

/*
 * pwrite() from memory that may be a foreign mapping. File systems that hand our pages to a device
 * (9p, direct I/O) can't do that with another domain's and say EFAULT: then by way of a buffer.
 */
static ssize_t write_some(int fd, const void *data, size_t size, off_t offset)
{
    uint8_t own[BOUNCE];
    ssize_t n = pwrite(fd, data, size, offset);

    if (n < 0 && errno == EFAULT) {
        size = size < sizeof(own) ? size : sizeof(own);
        memcpy(own, data, size);
        n = pwrite(fd, own, size, offset);
    }
    return n;
}

static int write_at(struct dump *d, const void *data, size_t size, uint64_t offset)
{
    const char *p = data;

    while (size > 0) {
        ssize_t n = write_some(d->fd, p, size, (off_t)offset);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return write_failed(d, n < 0 ? -errno : -EIO);
        }
        p += n;
        size -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

static void fill_note(struct note *note, uint32_t type, size_t size)
{
    *note = (struct note){sizeof(note->name), (uint32_t)size, type, "Xen"};
}

static void fill_notes(const struct dump *d, const struct xc_version *v, struct notes *n)
{
    memset(n, 0, sizeof(*n));
    fill_note(&n->none, XEN_ELFNOTE_DUMPCORE_NONE, 0);
    fill_note(&n->header, XEN_ELFNOTE_DUMPCORE_HEADER, 4 * sizeof(uint64_t));
    n->magic = CORE_MAGIC;
    n->nr_vcpus = d->nr_vcpus;
    n->nr_pages = d->nr_entries;
    n->page_size = XC_PAGE_SIZE;
    fill_note(&n->version, XEN_ELFNOTE_DUMPCORE_XEN_VERSION,
              offsetof(struct notes, format) - offsetof(struct notes, major));
    n->major = v->major;
    n->minor = v->minor;
    memcpy(n->extra, v->extra, sizeof(n->extra));
    memcpy(n->compile.compiler, v->compiler, sizeof(n->compile.compiler));
    memcpy(n->compile.compile_by, v->compile_by, sizeof(n->compile.compile_by));
    memcpy(n->compile.compile_domain, v->compile_domain, sizeof(n->compile.compile_domain));
    memcpy(n->compile.compile_date, v->compile_date, sizeof(n->compile.compile_date));
    memcpy(n->capabilities, v->capabilities, sizeof(n->capabilities));
    memcpy(n->changeset, v->changeset, sizeof(n->changeset));
    n->virt_start = v->virt_start;
    n->version_page_size = v->page_size;
    fill_note(&n->format, XEN_ELFNOTE_DUMPCORE_FORMAT_VERSION, sizeof(n->format_version));
    n->format_version = 1;
}

/* Registers of the virtual CPUs that have any. */
static int read_vcpus(struct dump *d)
{
    uint32_t n = d->info.max_vcpu_id + 1;

    if (n == 0 || n > MOST_VCPUS) {
        return xc_fail(d->h, -ENODATA, "Domain %u has no virtual CPUs.", d->domid);
    }
    d->vcpus = calloc(n, sizeof(*d->vcpus));
    if (d->vcpus == NULL) {
        return xc_fail(d->h, -ENOMEM, "There is no memory for the registers of %u CPUs.", n);
    }
    for (uint32_t i = 0; i < n; i++) {
        if (xc_vcpu_get_context(d->h, d->domid, i, &d->vcpus[d->nr_vcpus]) == 0) {
            d->nr_vcpus++;
        }
    }
    return 0;
}

static int read_shared(struct dump *d)
{
    void *p = xc_map_frame(d->h, d->domid, PROT_READ, d->info.shared_info_mfn);

    if (p == NULL) {
        return -errno;
    }
    d->shared = malloc(XC_PAGE_SIZE);
    if (d->shared != NULL) {
        memcpy(d->shared, p, XC_PAGE_SIZE);
    }
    xc_unmap(p, 1);
    return d->shared == NULL ? xc_fail(d->h, -ENOMEM, "There is no memory left.") : 0;
}

/* Write the @n pages of @batch that can be mapped, and note them. */
static int dump_batch(struct dump *d, const struct p2m_entry *batch, unsigned int n)
{
    uint64_t frames[BATCH];
    int errors[BATCH], rc = 0;
    uint8_t *p;

    for (unsigned int i = 0; i < n; i++) {
        frames[i] = batch[i].gmfn;
    }
    p = xc_map_foreign(d->h, d->domid, PROT_READ, frames, n, errors);
    if (p == NULL) {
        return 0; /* none of them: left out */
    }
    for (unsigned int i = 0; i < n && rc == 0;) {
        unsigned int run = 0;

        while (i + run < n && errors[i + run] == 0) {
            run++;
        }
        if (run > 0) {
            rc = write_at(d, p + (size_t)i * XC_PAGE_SIZE, (size_t)run * XC_PAGE_SIZE,
                          d->pages_at + d->nr_entries * XC_PAGE_SIZE);
            memcpy(&d->entries[d->nr_entries], &batch[i], run * sizeof(*batch));
            d->nr_entries += run;
        }
        i += run + 1;
    }
    xc_unmap(p, n);
    if (rc == 0 && d->progress != NULL &&
        !d->progress(d->context, d->nr_entries, d->info.tot_pages)) {
        rc = xc_fail(d->h, -ECANCELED, "The core dump was canceled.");
    }
    return rc;
}

/* All pages of the guest, at most as many as the hypervisor says it has. */
static int dump_pages(struct dump *d)
{
    struct p2m_entry batch[BATCH];
    struct xc_p2m p2m;
    uint64_t left = d->info.tot_pages;
    int rc = xc_p2m_begin(&p2m, d->h, d->domid, d->shared);

    for (uint64_t first = 0; rc == 0 && first < p2m.pages && left > 0; first += BATCH) {
        const uint64_t *list = xc_p2m_read(&p2m, first);
        unsigned int n = 0;

        for (unsigned int i = 0; list != NULL && i < BATCH && first + i < p2m.pages; i++) {
            uint64_t mfn = __atomic_load_n(&list[i], __ATOMIC_RELAXED);

            if (mfn <= d->max_mfn && n < left) {
                batch[n++] = (struct p2m_entry){first + i, mfn};
            }
        }
        rc = n > 0 ? dump_batch(d, batch, n) : 0;
        left -= n;
    }
    xc_p2m_finish(&p2m);
    return rc;
}

static void fill_section(Elf64_Shdr *s, uint32_t type, uint64_t offset, uint64_t size,
                         uint64_t entry, uint64_t align)
{
    s->sh_type = type;
    s->sh_offset = offset;
    s->sh_size = size;
    s->sh_entsize = entry;
    s->sh_addralign = align;
}

/* Everything but the pages; the sizes are known now. */
static int write_rest(struct dump *d, const struct xc_version *version)
{
    uint64_t at = sizeof(Elf64_Ehdr) + NR_SECTIONS * sizeof(Elf64_Shdr), end;
    Elf64_Shdr sections[NR_SECTIONS] = {0};
    char names[128] = "";
    Elf64_Ehdr header = {
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_CORE,
        .e_machine = EM_X86_64,
        .e_version = EV_CURRENT,
        .e_shoff = sizeof(header),
        .e_ehsize = sizeof(header),
        .e_phentsize = sizeof(Elf64_Phdr),
        .e_shentsize = sizeof(Elf64_Shdr),
        .e_shnum = NR_SECTIONS,
        .e_shstrndx = SECTION_NAMES,
    };
    size_t names_size = 1, prstatus = d->nr_vcpus * sizeof(*d->vcpus);
    struct notes notes;
    int rc;

    fill_notes(d, version, &notes);
    for (int i = 1; i < NR_SECTIONS; i++) {
        sections[i].sh_name = (Elf64_Word)names_size;
        memcpy(names + names_size, section_names[i], strlen(section_names[i]) + 1);
        names_size += strlen(section_names[i]) + 1;
    }
    end = d->pages_at + d->nr_entries * XC_PAGE_SIZE;
    fill_section(&sections[SECTION_NOTES], SHT_NOTE, at, sizeof(notes), 0, 0);
    at += sizeof(notes);
    fill_section(&sections[SECTION_PRSTATUS], SHT_PROGBITS, at, prstatus, sizeof(*d->vcpus), 8);
    at += prstatus;
    fill_section(&sections[SECTION_SHARED], SHT_PROGBITS, at, XC_PAGE_SIZE, XC_PAGE_SIZE, 8);
    fill_section(&sections[SECTION_PAGES], SHT_PROGBITS, d->pages_at, end - d->pages_at,
                 XC_PAGE_SIZE, XC_PAGE_SIZE);
    fill_section(&sections[SECTION_P2M], SHT_PROGBITS, end, d->nr_entries * sizeof(*d->entries),
                 sizeof(*d->entries), 8);
    fill_section(&sections[SECTION_NAMES], SHT_STRTAB, end + d->nr_entries * sizeof(*d->entries),
                 names_size, 0, 0);
    rc = write_at(d, &header, sizeof(header), 0);
    rc = rc < 0 ? rc : write_at(d, sections, sizeof(sections), sizeof(header));
    rc = rc < 0 ? rc : write_at(d, &notes, sizeof(notes), sections[SECTION_NOTES].sh_offset);
    rc = rc < 0 ? rc : write_at(d, d->vcpus, prstatus, sections[SECTION_PRSTATUS].sh_offset);
    rc = rc < 0 ? rc : write_at(d, d->shared, XC_PAGE_SIZE, sections[SECTION_SHARED].sh_offset);
    rc = rc < 0 ? rc
                : write_at(d, d->entries, d->nr_entries * sizeof(*d->entries),
                           sections[SECTION_P2M].sh_offset);
    return rc < 0 ? rc : write_at(d, names, names_size, sections[SECTION_NAMES].sh_offset);
}

static int check_guest(struct dump *d)
{
    uint32_t bits = 64;
    long r;
    int rc = xc_domain_get_info(d->h, d->domid, &d->info);

    if (rc < 0) {
        return rc;
    }
    if (d->info.hvm) {
        return xc_fail(d->h, -ENOTSUP, "Domain %u is no PV guest: only those can be dumped.",
                       d->domid);
    }
    rc = xc_domain_get_address_size(d->h, d->domid, &bits);
    if (rc == 0 && bits != 64) {
        return xc_fail(d->h, -ENOTSUP,
                       "Domain %u is a 32-bit guest: only 64-bit guests can be "
                       "dumped.",
                       d->domid);
    }
    r = xc_memory_call(d->h, XENMEM_maximum_ram_page, NULL);
    d->max_mfn = r > 0 ? (uint64_t)r : UINT32_MAX;
    return rc;
}

static int dump_all(struct dump *d)
{
    struct xc_version version;
    int rc = check_guest(d);

    if (rc == 0) {
        rc = xc_host_version(d->h, &version);
    }
    if (rc == 0) {
        rc = read_vcpus(d);
    }
    if (rc == 0) {
        rc = read_shared(d);
    }
    if (rc < 0) {
        return rc;
    }
    d->entries = calloc(d->info.tot_pages + 1, sizeof(*d->entries));
    if (d->entries == NULL) {
        return xc_fail(d->h, -ENOMEM, "There is no memory for a list of %llu pages.",
                       (unsigned long long)d->info.tot_pages);
    }
    d->pages_at = sizeof(Elf64_Ehdr) + NR_SECTIONS * sizeof(Elf64_Shdr) + sizeof(struct notes) +
                  d->nr_vcpus * sizeof(*d->vcpus) + XC_PAGE_SIZE;
    d->pages_at = (d->pages_at + XC_PAGE_SIZE - 1) / XC_PAGE_SIZE * XC_PAGE_SIZE;
    rc = dump_pages(d);
    return rc < 0 ? rc : write_rest(d, &version);
}

int xc_domain_dump_core(struct xc_handle *h, uint32_t domid, int fd, xc_dump_progress *progress,
                        void *context)
{
    struct dump d = {.h = h, .domid = domid, .fd = fd, .progress = progress, .context = context};
    int rc = dump_all(&d);

    free(d.entries);
    free(d.shared);
    free(d.vcpus);
    return rc;
}
