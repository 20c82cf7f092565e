/* Registers on the console. */
#ifndef CPU_DUMP_H
#define CPU_DUMP_H

struct cpu_user_regs;
void show_registers(const struct cpu_user_regs *r);
/* And the stack trace from there when it is the hypervisor's. */
void show_execution_state(const struct cpu_user_regs *r);
void dump_init(void);

#endif
