# A loader for PC BIOS: starts one Linux kernel with one initrd, both at places of the disk that are
# known beforehand.
#
# `.boot` is the boot code of the disk's first sector, at most 440 bytes; the BIOS puts it at 0x7c00
# and starts it in real mode with the drive's number in %dl. It reads `.loader`, 4 KiB from the
# beginning of the BIOS boot partition, to 0x8000. That one reads the kernel and the initrd as the
# kernel's "The Linux/x86 Boot Protocol" asks for, and enters the kernel by its 16-bit entry.
#
# Disks are read by the BIOS's Enhanced Disk Drive services (INT 13h AH=42h), 127 sectors of 512
# bytes at a time, which is as many as all BIOSes take. What belongs above 1 MiB goes through a buffer
# and is copied in protected mode.
#
#   0x00600  one entry of the memory map
#   0x07c00  the boot code, the stack below
#   0x08000  the loader
#   0x10000  the kernel's real-mode part, at most 65 sectors; its heap and stack up to 0x1e000
#   0x1e000  the kernel's command line
#   0x20000  what was read last
#  0x100000  the kernel's protected-mode part
#       top  the initrd: the highest page where it fits
#
# testdata/checks/assembled assembles this file and compares it with loader.rs.

        .set    MAP, 0x0600
        .set    STACK, 0x7c00
        .set    LOADER, 0x8000
        .set    LOADER_SECTORS, 8
        .set    SETUP, 0x10000
        .set    SETUP_SECTORS, 65
        .set    HEAP_END, 0xe000
        .set    LINE, 0x1e000
        .set    LINE_LENGTH, 2048
        .set    BUFFER, 0x20000
        .set    BUFFER_SECTORS, 127
        .set    KERNEL, 0x100000
        .set    MAGIC, 0x656b6162               # "bake"
        .set    TRIES, 5

# Fields of the kernel's header, from the start of its first sector.
        .set    SETUP_SECTS, 0x1f1
        .set    SYSSIZE, 0x1f4
        .set    SIGNATURE, 0x202
        .set    VERSION, 0x206
        .set    TYPE_OF_LOADER, 0x210
        .set    LOADFLAGS, 0x211
        .set    RAMDISK_IMAGE, 0x218
        .set    RAMDISK_SIZE, 0x21c
        .set    HEAP_END_PTR, 0x224
        .set    CMD_LINE_PTR, 0x228
        .set    INITRD_ADDR_MAX, 0x22c
        .set    PREF_ADDRESS, 0x258
        .set    INIT_SIZE, 0x260

# Prints the text at %si by the BIOS.
        .macro  PRINT
        movb    $0x0e, %ah
        movw    $0x0007, %bx
1:      lodsb
        testb   %al, %al
        jz      2f
        pushw   %si
        int     $0x10
        popw    %si
        movb    $0x0e, %ah
        jmp     1b
2:
        .endm

# Prints the text at %si by the BIOS and on the first serial port, and gives up: the BIOS may try what
# it would boot next.
        .macro  FAIL
        pushw   %si
        PRINT
        popw    %si
        movw    $0x3fd, %dx
        xorw    %cx, %cx
1:      inb     %dx, %al                        # what the BIOS sent is on its way still
        testb   $0x40, %al
        loopz   1b
        movw    $0x3fb, %dx                     # 115200 bits a second, 8 bits, no parity
        movb    $0x80, %al
        outb    %al, %dx
        movw    $0x3f8, %dx
        movw    $0x0001, %ax
        outw    %ax, %dx
        movw    $0x3fb, %dx
        movb    $0x03, %al
        outb    %al, %dx
2:      movw    $0x3fd, %dx
        xorw    %cx, %cx
3:      inb     %dx, %al
        testb   $0x20, %al                      # also set where there is no port
        loopz   3b
        lodsb
        testb   %al, %al
        jz      4f
        movw    $0x3f8, %dx
        outb    %al, %dx
        jmp     2b
4:      int     $0x18
5:      hlt
        jmp     5b
        .endm

        .code16

        .section .boot, "ax"
        .globl  start
start:  cli
        xorw    %ax, %ax
        movw    %ax, %ss
        movw    $STACK, %sp
        movw    %ax, %ds
        movw    %ax, %es
        cld
        ljmp    $0, $1f                         # some BIOSes start with another %cs
1:      sti
        testb   $0x80, %dl
        jnz     2f
        movb    $0x80, %dl                      # and some with no drive
2:      pushw   %dx
        movb    $0x41, %ah
        movw    $0x55aa, %bx
        int     $0x13
        popw    %dx
        movw    $no_services, %si
        jc      boot_fail
        cmpw    $0xaa55, %bx
        jne     boot_fail
        testb   $0x01, %cl
        jz      boot_fail
        movw    $TRIES, %di
3:      movb    $0x42, %ah
        movw    $boot_packet, %si
        pushw   %dx
        pushw   %di
        int     $0x13
        popw    %di
        popw    %dx
        jnc     4f
        xorw    %ax, %ax
        int     $0x13
        movw    $LOADER_SECTORS, boot_packet + 2
        decw    %di
        jnz     3b
        movw    $unreadable, %si
        jmp     boot_fail
4:      movw    $no_loader, %si
        cmpl    $MAGIC, LOADER + 4
        jne     boot_fail
        jmp     loader

boot_fail:
        FAIL

no_services:
        .asciz  "bake: the BIOS cannot read this disk by sector numbers\r\n"
unreadable:
        .asciz  "bake: the loader cannot be read\r\n"
no_loader:
        .asciz  "bake: the loader is not where it should be\r\n"

        .org    424
boot_packet:
        .byte   16, 0
        .word   LOADER_SECTORS
        .word   LOADER, 0
        .quad   0                               # the first sector of the partition

        .section .loader, "ax"
        .globl  loader
loader: jmp     load_linux
        .org    4
        .long   MAGIC

load_linux:
        movb    %dl, drive
        movw    $loading, %si
        call    print
        call    open_memory
        call    load_setup
        call    load_kernel
        cmpl    $0, initrd_length
        je      1f
        call    place_initrd
        call    load_initrd
1:      call    fill_header

        cli
        movw    $SETUP >> 4, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %fs
        movw    %ax, %gs
        movw    %ax, %ss
        movw    $HEAP_END, %sp
        ljmp    $(SETUP >> 4) + 0x20, $0

# Reads the kernel's first sectors and checks that this loader can start it.
load_setup:
        movl    kernel_length, %eax
        call    sectors
        movl    %eax, kernel_sectors
        movl    kernel_sector, %eax
        movl    %eax, packet_sector
        movl    kernel_sector + 4, %eax
        movl    %eax, packet_sector + 4
        movw    $SETUP >> 4, packet_segment
        movl    $SETUP_SECTORS, %eax
        cmpl    kernel_sectors, %eax
        jbe     1f
        movl    kernel_sectors, %eax
1:      movw    %ax, count
        call    fetch
        movw    $BUFFER >> 4, packet_segment
        call    header
        movw    $no_kernel, %si
        cmpl    $0x53726448, %fs:SIGNATURE      # "HdrS"
        jne     fail
        cmpw    $0x020a, %fs:VERSION            # the first with INIT_SIZE
        jb      fail
        testb   $0x01, %fs:LOADFLAGS            # LOADED_HIGH
        jz      fail
        cmpb    $SETUP_SECTORS - 1, %fs:SETUP_SECTS
        ja      fail
        ret

# Reads the kernel's protected-mode part; what follows it in the file, as signatures do, is left out.
load_kernel:
        call    header
        movzbl  %fs:SETUP_SECTS, %ebx
        testb   %bl, %bl
        jnz     1f
        movb    $4, %bl
1:      incl    %ebx
        movl    kernel_sectors, %ecx
        movw    $no_kernel, %si
        subl    %ebx, %ecx
        jbe     fail
        movl    %fs:SYSSIZE, %eax
        shll    $4, %eax
        call    sectors
        cmpl    %ecx, %eax
        jbe     2f
        movl    %ecx, %eax
2:      movl    %eax, left
        shll    $9, %eax
        addl    $KERNEL, %eax
        movl    %eax, floor
        movl    kernel_sector, %eax
        addl    %ebx, %eax
        movl    %eax, packet_sector
        movl    kernel_sector + 4, %eax
        adcl    $0, %eax
        movl    %eax, packet_sector + 4
        movl    $KERNEL, destination
        jmp     load

# Finds the highest page from which on there is memory for the initrd that the kernel can address and
# does not need for itself (INT 15h AX=e820h).
place_initrd:
        call    header
        movl    %fs:PREF_ADDRESS, %eax
        addl    %fs:INIT_SIZE, %eax
        cmpl    floor, %eax
        jbe     1f
        movl    %eax, floor
1:      xorl    %ebx, %ebx
2:      movl    $0xe820, %eax
        movl    $0x534d4150, %edx               # "SMAP"
        movl    $20, %ecx
        movw    $MAP, %di
        int     $0x15
        jc      6f
        cmpl    $0x534d4150, %eax
        jne     6f
        call    header
        cmpl    $1, MAP + 16                    # usable
        jne     5f
        cmpl    $0, MAP + 4
        jne     5f
        movl    MAP, %esi
        movl    %esi, %eax
        movl    MAP + 12, %edx
        addl    MAP + 8, %eax
        adcl    $0, %edx
        jz      3f
        orl     $-1, %eax
3:      cmpl    %esi, %eax
        jbe     5f
        decl    %eax                            # the last byte that may be used
        cmpl    %fs:INITRD_ADDR_MAX, %eax
        jbe     4f
        movl    %fs:INITRD_ADDR_MAX, %eax
4:      incl    %eax
        subl    initrd_length, %eax
        jb      5f
        andl    $0xfffff000, %eax
        cmpl    %esi, %eax
        jb      5f
        cmpl    floor, %eax
        jb      5f
        cmpl    initrd_address, %eax
        jbe     5f
        movl    %eax, initrd_address
5:      testl   %ebx, %ebx
        jnz     2b
6:      movw    $no_memory, %si
        cmpl    $0, initrd_address
        je      fail
        ret

load_initrd:
        movl    initrd_length, %eax
        call    sectors
        movl    %eax, left
        movl    initrd_sector, %eax
        movl    %eax, packet_sector
        movl    initrd_sector + 4, %eax
        movl    %eax, packet_sector + 4
        movl    initrd_address, %eax
        movl    %eax, destination
        jmp     load

# Tells the kernel what it has to know, and copies the command line.
fill_header:
        call    header
        movb    $0xff, %fs:TYPE_OF_LOADER
        orb     $0x80, %fs:LOADFLAGS            # CAN_USE_HEAP
        movw    $HEAP_END - 0x200, %fs:HEAP_END_PTR
        movl    $LINE, %fs:CMD_LINE_PTR
        movl    initrd_address, %eax
        movl    %eax, %fs:RAMDISK_IMAGE
        movl    initrd_length, %eax
        movl    %eax, %fs:RAMDISK_SIZE
        pushw   %es
        movw    $LINE >> 4, %ax
        movw    %ax, %es
        movw    $line, %si
        xorw    %di, %di
        movw    $LINE_LENGTH / 4, %cx
        rep movsl
        popw    %es
        ret

# Lets %fs lead to the kernel's header; no BIOS call is trusted to leave it.
header: pushw   $SETUP >> 4
        popw    %fs
        ret

# Turns the bytes in %eax into the sectors that they take.
sectors:
        addl    $511, %eax
        rcrl    $1, %eax
        shrl    $8, %eax
        ret

# Reads `left` sectors from `packet_sector` on to `destination`, above 1 MiB.
load:   movl    left, %eax
        testl   %eax, %eax
        jz      2f
        cmpl    $BUFFER_SECTORS, %eax
        jbe     1f
        movl    $BUFFER_SECTORS, %eax
1:      movw    %ax, count
        call    fetch
        call    copy
        movzwl  count, %eax
        subl    %eax, left
        addl    %eax, packet_sector
        adcl    $0, packet_sector + 4
        shll    $9, %eax
        addl    %eax, destination
        jmp     load
2:      ret

# Reads `count` sectors to the packet's segment.
fetch:  movw    $TRIES, %di
1:      movw    count, %ax
        movw    %ax, packet_count
        movw    $packet, %si
        movb    drive, %dl
        movb    $0x42, %ah
        pushw   %di
        int     $0x13
        popw    %di
        jnc     2f
        movb    %ah, %cl
        xorw    %ax, %ax
        movb    drive, %dl
        int     $0x13
        decw    %di
        jnz     1b
        movb    %cl, %al
        shrb    $4, %al
        call    digit
        movb    %al, error_code
        movb    %cl, %al
        andb    $0x0f, %al
        call    digit
        movb    %al, error_code + 1
        movw    $no_disk, %si
        jmp     fail
2:      ret

# Turns the number in %al into a hexadecimal digit.
digit:  cmpb    $10, %al
        sbbb    $0x69, %al
        das
        ret

# Copies `count` sectors from the buffer to `destination`, in protected mode.
copy:   cli
        lgdt    gdt_pointer
        movzwl  count, %ecx
        shll    $7, %ecx
        movl    $BUFFER, %esi
        movl    destination, %edi
        movzwl  %sp, %esp
        movl    %cr0, %eax
        orb     $0x01, %al
        movl    %eax, %cr0
        ljmp    $0x08, $1f
        .code32
1:      movw    $0x10, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        rep movsl
        movw    $0x20, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        ljmp    $0x18, $2f
        .code16
2:      movl    %cr0, %eax
        andb    $0xfe, %al
        movl    %eax, %cr0
        ljmp    $0, $3f
3:      xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        sti
        ret

# Opens the 21st address line, without which every second MiB is hidden.
open_memory:
        call    is_open
        jne     1f
        movw    $0x2401, %ax
        int     $0x15
        call    is_open
        jne     1f
        inb     $0x92, %al                      # the chip set's own switch
        orb     $0x02, %al
        andb    $0xfe, %al                      # not its reset
        outb    %al, $0x92
        call    is_open
        movw    $no_line, %si
        je      fail
1:      ret

# Tells by the zero flag whether what is 1 MiB above `probe` is `probe` itself.
is_open:
        movw    $0xffff, %ax
        movw    %ax, %gs
        movl    probe, %eax
        cmpl    %gs:probe + 0x10, %eax
        jne     1f
        incl    %eax
        movl    %eax, probe
        cmpl    %gs:probe + 0x10, %eax
1:      ret

print:  PRINT
        ret

fail:   FAIL

        .balign 8
gdt:    .quad   0
        .quad   0x00cf9b000000ffff              # 0x08: code, 32 bits
        .quad   0x00cf93000000ffff              # 0x10: data, 32 bits
        .quad   0x00009b000000ffff              # 0x18: code, 16 bits
        .quad   0x000093000000ffff              # 0x20: data, 16 bits
gdt_pointer:
        .word   . - gdt - 1
        .long   gdt

packet: .byte   16, 0
packet_count:
        .word   0
        .word   0
packet_segment:
        .word   0
packet_sector:
        .quad   0
left:   .long   0
destination:
        .long   0
floor:  .long   0
kernel_sectors:
        .long   0
initrd_address:
        .long   0
probe:  .long   0
count:  .word   0
drive:  .byte   0

loading:
        .asciz  "bake: loading Linux\r\n"
no_kernel:
        .asciz  "bake: this is not a Linux kernel that can be started\r\n"
no_memory:
        .asciz  "bake: there is not enough memory for the initrd\r\n"
no_line:
        .asciz  "bake: the memory above 1 MiB cannot be opened\r\n"
no_disk:
        .ascii  "bake: the disk cannot be read, error 0x"
error_code:
        .asciz  "00\r\n"

# What to load; the rest of the loader's sectors, written for each disk.
        .org    1536
kernel_sector:
        .quad   0
kernel_length:
        .quad   0
initrd_sector:
        .quad   0
initrd_length:
        .quad   0
        .org    2048
line:   .fill   LINE_LENGTH, 1, 0
