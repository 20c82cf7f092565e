/*
 * The rows of xm's commands. Contract: command.h.
 */
#include "xm/command.h"

#include <string.h>

#define JSON "  --json             print it as JSON"

static const char life[] = "Domains";
static const char look[] = "Looking";
static const char change[] = "Changing a running domain";
static const char device[] = "Devices";
static const char host[] = "The machine";

const struct command commands[] = {
    {"create", cmd_create, 0, -1, "FILE [KEY=VALUE]...", "create and start a domain",
     "  -c, --console_autoconnect  connect to its console\n"
     "  -p, --paused       leave it paused\n"
     "  --check            check everything, create nothing\n"
     "  -n, --dryrun       show what the file means, ask nobody\n"
     "  -q, --quiet        say nothing\n"
     "  -f, --defconfig FILE   the file, for those who write it so",
     COMPLETE_FILE, life},
    {"shutdown", cmd_shutdown, 0, -1, "DOMAIN...", "ask domains to shut down",
     "  -w, --wait         wait until they have\n"
     "  -a, --all          all but Domain 0\n"
     "  -R                 reboot instead\n"
     "  -t, --timeout SECONDS   how long -w waits (300)",
     COMPLETE_DOMAIN, life},
    {"reboot", cmd_reboot, 0, -1, "DOMAIN...", "ask domains to reboot",
     "  -w, --wait         wait until they run again\n"
     "  -a, --all          all but Domain 0\n"
     "  -t, --timeout SECONDS   how long -w waits (300)",
     COMPLETE_DOMAIN, life},
    {"destroy", cmd_destroy, 1, -1, "DOMAIN...", "end domains at once", NULL, COMPLETE_DOMAIN,
     life},
    {"pause", cmd_pause, 1, -1, "DOMAIN...", "stop domains for a while", NULL, COMPLETE_DOMAIN,
     life},
    {"unpause", cmd_unpause, 1, -1, "DOMAIN...", "let paused domains run", NULL, COMPLETE_DOMAIN,
     life},
    {"new", cmd_new, 0, -1, "FILE [KEY=VALUE]...", "store a domain without starting it",
     "  -f, --defconfig FILE   the file, for those who write it so", COMPLETE_FILE, life},
    {"start", cmd_start, 1, 1, "DOMAIN", "start a stored domain",
     "  -c, --console_autoconnect  connect to its console\n"
     "  -p, --paused       leave it paused",
     COMPLETE_DOMAIN, life},
    {"delete", cmd_delete, 1, 1, "DOMAIN", "forget a stored domain", NULL, COMPLETE_DOMAIN, life},
    {"console", cmd_console, 1, 1, "DOMAIN", "connect to its console; ^] leaves it", NULL,
     COMPLETE_DOMAIN, life},

    {"list", cmd_list, 0, -1, "[DOMAIN]...", "list domains",
     "  -l, --long         everything, as S-expressions\n"
     "  --state STATE      all, running, paused, crashed, shutdown or halted\n" JSON,
     COMPLETE_DOMAIN, look},
    {"top", cmd_top, 0, 0, "", "watch what domains use",
     "  -d, --delay SECONDS    how often (3)\n"
     "  -i, --iterations N     end after so many\n"
     "  -b, --batch            no screen control",
     COMPLETE_NONE, look},
    {"uptime", cmd_uptime, 0, -1, "[DOMAIN]...", "how long domains have been running", JSON,
     COMPLETE_DOMAIN, look},
    {"domid", cmd_domid, 1, 1, "NAME", "a domain's number", NULL, COMPLETE_DOMAIN, look},
    {"domname", cmd_domname, 1, 1, "DOMID", "a domain's name", NULL, COMPLETE_NONE, look},
    {"vcpu-list", cmd_vcpu_list, 0, -1, "[DOMAIN]...", "list virtual CPUs", JSON, COMPLETE_DOMAIN,
     look},
    {"events", cmd_events, 0, 1, "[DOMAIN]", "follow what happens, as lines of JSON", NULL,
     COMPLETE_DOMAIN, look},

    {"rename", cmd_rename, 2, 2, "DOMAIN NAME", "give a domain another name", NULL, COMPLETE_DOMAIN,
     change},
    {"mem-set", cmd_mem_set, 2, 2, "DOMAIN MIB", "set how much memory it should have", NULL,
     COMPLETE_DOMAIN, change},
    {"mem-max", cmd_mem_max, 2, 2, "DOMAIN MIB", "set how much memory it may have", NULL,
     COMPLETE_DOMAIN, change},
    {"vcpu-set", cmd_vcpu_set, 2, 2, "DOMAIN COUNT", "set how many virtual CPUs it should have",
     NULL, COMPLETE_DOMAIN, change},
    {"vcpu-pin", cmd_vcpu_pin, 3, 3, "DOMAIN VCPU|all CPUS|all", "set where virtual CPUs may run",
     NULL, COMPLETE_DOMAIN, change},
    {"sched-credit", cmd_sched_credit, 0, 0, "", "show or set shares of the CPUs",
     "  -d, --domain DOMAIN\n"
     "  -w, --weight N     1 to 65535; 256 is usual\n"
     "  -c, --cap PERCENT  at most, of one CPU; 0: no limit\n" JSON,
     COMPLETE_NONE, change},
    {"sched-credit2", cmd_sched_credit, 0, 0, "", "the same", NULL, COMPLETE_NONE, NULL},
    {"sysrq", cmd_sysrq, 2, 2, "DOMAIN KEY", "press a magic key in a Linux guest", NULL,
     COMPLETE_DOMAIN, change},
    {"dump-core", cmd_dump_core, 1, 2, "DOMAIN [FILE]", "write a core dump",
     "  -L, --live         do not pause it meanwhile\n"
     "  -C, --crash        destroy it afterwards\n"
     "  -R, --reset        restart it afterwards",
     COMPLETE_DOMAIN, change},

    {"block-attach", cmd_block_attach, 2, 5, "DOMAIN DISK DEVICE MODE", "give a domain a disk",
     "  DISK is phy:/dev/... or file:/...; or write one word in the configuration's form",
     COMPLETE_DOMAIN, device},
    {"block-detach", cmd_block_detach, 2, 2, "DOMAIN DEVICE", "take a disk away",
     "  -f, --force        without asking the guest", COMPLETE_DOMAIN, device},
    {"block-list", cmd_block_list, 1, -1, "DOMAIN...", "list disks",
     "  -l, --long         everything, as S-expressions\n" JSON, COMPLETE_DOMAIN, device},
    {"network-attach", cmd_network_attach, 1, -1, "DOMAIN [KEY=VALUE]...",
     "give a domain a network card",
     "  keys: mac, bridge, ip, script, vifname, rate, antispoof, forward, backend", COMPLETE_DOMAIN,
     device},
    {"network-detach", cmd_network_detach, 2, 2, "DOMAIN NUMBER|MAC", "take a network card away",
     "  -f, --force        without asking the guest", COMPLETE_DOMAIN, device},
    {"network-list", cmd_network_list, 1, -1, "DOMAIN...", "list network cards",
     "  -l, --long         everything, as S-expressions\n" JSON, COMPLETE_DOMAIN, device},

    {"network-plan", cmd_network_plan, 0, -1, "[start|stop] [KEY=VALUE]...",
     "show what would be done to this machine's network",
     "  -l, --long         every single change\n"
     "  keys: netdev, bridge, vifnum, probe, force; or a script: network-route\n" JSON,
     COMPLETE_NONE, host},
    {"network-start", cmd_network_start, 0, -1, "[KEY=VALUE]...",
     "put this machine's network interface on a bridge",
     "  keys: netdev, bridge, vifnum, probe; without any, network_script of xend.conf",
     COMPLETE_NONE, host},
    {"network-stop", cmd_network_stop, 0, -1, "[KEY=VALUE]...", "take it back",
     "  keys: netdev, bridge, vifnum, probe, force=yes", COMPLETE_NONE, host},
    {"network-status", cmd_network_status, 0, -1, "[KEY=VALUE]...",
     "is this machine's interface on a bridge?", NULL, COMPLETE_NONE, host},
    {"info", cmd_info, 0, 0, "", "about the machine and its hypervisor", JSON, COMPLETE_NONE, host},
    {"dmesg", cmd_dmesg, 0, 0, "", "the hypervisor's messages",
     "  -c, --clear        and forget them", COMPLETE_NONE, host},
    {"log", cmd_log, 0, 0, "", "xend's log", NULL, COMPLETE_NONE, host},
    {"debug-keys", cmd_debug_keys, 1, 1, "KEYS", "press debug keys of the hypervisor; h: help",
     NULL, COMPLETE_NONE, host},
    {"help", cmd_help, 0, 1, "[COMMAND]", "this list, or all about one command",
     "  --long             all about all commands", COMPLETE_COMMAND, host},

    {"complete", cmd_complete, 0, -1, "", "for the shell's completion", NULL, COMPLETE_NONE, NULL},
    {NULL, NULL, 0, 0, NULL, NULL, NULL, COMPLETE_NONE, NULL},
};

const struct command *command_find(const char *name)
{
    for (const struct command *c = commands; c->name != NULL; c++) {
        if (strcmp(c->name, name) == 0) {
            return c;
        }
    }
    return NULL;
}
