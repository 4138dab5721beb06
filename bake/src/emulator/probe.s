# A guest that does nothing but end: the last 256 bytes of firmware of 64 KiB. It enters
# 64-bit mode with paging, as every Linux does, and writes 16 to port 0xf4, where QEMU's
# `isa-debug-exit` makes 16 * 2 + 1 = 33 of it, QEMU's exit status.
#
# Some machines let a guest run in real mode only; there a guest that ended earlier would prove
# nothing. testdata/checks/assembled assembles this file and compares it with probe.rs.

        .set    ROM, 0xf0000                    # where the last 64 KiB of firmware are below 1 MiB
        .set    TABLES, 0x1000                  # three levels of page tables, 4 KiB each

        .section .probe, "ax"
        .code16
        .globl  start
start:  cli
        cld
        xorw    %ax, %ax
        movw    %ax, %es
        movw    $TABLES, %di
        movw    $0x1800, %cx
        rep stosw
        movw    $TABLES + 0x1003, %es:TABLES
        movw    $TABLES + 0x2003, %es:TABLES + 0x1000
        movw    $0x0083, %es:TABLES + 0x2000    # the first 2 MiB at their own addresses
        lgdtl   %cs:gdt_pointer - ROM
        movl    %cr4, %eax
        orb     $0x20, %al                      # physical address extension
        movl    %eax, %cr4
        movl    $TABLES, %eax
        movl    %eax, %cr3
        movl    $0xc0000080, %ecx               # EFER
        rdmsr
        orw     $0x0100, %ax                    # long mode
        wrmsr
        movl    %cr0, %eax
        orl     $0x80000001, %eax               # paging and protection
        movl    %eax, %cr0
        ljmpl   $0x08, $long

        .code64
long:   movb    $0x10, %al
        outb    %al, $0xf4
        hlt

        .balign 8
gdt:    .quad   0
        .quad   0x00209b0000000000              # 0x08: code, 64 bits
gdt_pointer:
        .word   . - gdt - 1
        .long   gdt

        .org    0xf0                            # where every x86 processor starts
        .code16
        ljmp    $ROM >> 4, $start - ROM         # from the top of 4 GiB, which is not mapped below
        .org    0x100
