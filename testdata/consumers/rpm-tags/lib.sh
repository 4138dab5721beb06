# Shared by the scripts that build the recipes and specs of this folder.

# What they place, in the current folder.
tag_inputs() {
    # No script: rpmbuild would look into it for what it requires.
    echo program >program
    # As much of a program as its color takes.
    printf '\177ELF\002\001\001\000\000\000\000\000\000\000\000\000' >elf
    head -c 48 /dev/zero >>elf
    chmod 755 program elf
    mkdir links
    echo linked >links/one
    ln links/one links/two
    ln links/one links/zero
    echo alone >links/alone
}

# unit_of PACKAGE: prints the unit that bake made, which the spec cannot make itself.
unit_of() { rpm2cpio "$1" | cpio --quiet --extract --to-stdout ./usr/lib/systemd/system/daemon.service; }
