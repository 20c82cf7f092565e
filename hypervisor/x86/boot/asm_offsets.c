/* Not linked: its assembly becomes build/hypervisor/asm_offsets.h, constants for .S files. */
#include <hospes/percpu.h>
#include <arch/desc.h>
#include <xen/arch-x86/xen.h>

#define DEFINE(name, value) __asm__ volatile("\n#ASM_OFFSET " #name " %c0" ::"i"(value))
#define OFFSET(name, type, member) DEFINE(name, __builtin_offsetof(type, member))

void asm_offsets(void);
void asm_offsets(void)
{
    DEFINE(CPU_INFO_SIZE, sizeof(struct cpu_info));
    DEFINE(CPU_USER_REGS_SIZE, sizeof(struct cpu_user_regs));
    OFFSET(CPU_INFO_processor_id, struct cpu_info, processor_id);
    OFFSET(CPU_INFO_current_vcpu, struct cpu_info, current_vcpu);
    OFFSET(CPU_INFO_per_cpu_offset, struct cpu_info, per_cpu_offset);
}
