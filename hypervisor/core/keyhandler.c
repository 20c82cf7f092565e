/* Debug keys: a letter makes the hypervisor print something about itself. Other files register. */
#include <hospes/console.h>
#include <hospes/arch.h>
#include <hospes/lib.h>
#include <hospes/lock.h>

#define NR_KEYS 128u

static struct {
    void (*fn)(char key);
    const char *what;
} keys[NR_KEYS];
static spinlock_t keys_lock = SPINLOCK_INIT(RANK_KEYHANDLER);

void keyhandler_register(char key, void (*fn)(char key), const char *what)
{
    LOCKED(&keys_lock);

    BUG_ON((unsigned char)key >= NR_KEYS);
    keys[(unsigned char)key].fn = fn;
    keys[(unsigned char)key].what = what;
}

static void show_keys(void)
{
    unsigned int i;

    printk("Debug keys:\n");
    for (i = 0; i < NR_KEYS; i++) {
        if (keys[i].fn != NULL) {
            printk(" %c  %s\n", (char)i, keys[i].what);
        }
    }
    printk(" R  reboot the machine now\n");
}

void keyhandler_run(char key)
{
    unsigned char k = (unsigned char)key;

    if (key == 'h') {
        show_keys();
    } else if (key == 'R') {
        printk("'R' pressed: rebooting\n");
        machine_restart(0);
    } else if (k < NR_KEYS && keys[k].fn != NULL) {
        printk("'%c' pressed: %s\n", key, keys[k].what);
        keys[k].fn(key);
    }
}
