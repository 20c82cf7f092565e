/* The first program of a Domain 0 whose boot is measured: prints the time stamp counter, which
 * counts from the start of the emulated machine, and powers the machine off. Started by bench/run
 * as the ramdisk's /init. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <unistd.h>
#include <x86intrin.h>

int main(void)
{
    uint64_t now = __rdtsc();
    char line[80];
    int length = snprintf(line, sizeof(line), "bench boot_to_init %llu\n", (unsigned long long)now);
    int console;

    (void)mount("dev", "/dev", "devtmpfs", 0, NULL);
    console = open("/dev/console", O_WRONLY);
    if (console < 0 || write(console, line, (size_t)length) != length) {
        return 1;
    }
    sleep(1); /* the console's last characters */
    return reboot(RB_POWER_OFF) ? 1 : 0;
}
