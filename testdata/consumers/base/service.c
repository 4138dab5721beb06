/* Says what its base is: the C library that it was started with, the base's environment and files, its account. */
#include <gnu/libc-version.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void variable(const char *name) {
    const char *value = getenv(name);
    printf("env %s=%s\n", name, value ? value : "(none)");
}

static void link_of(const char *path) {
    char target[256];
    ssize_t length = readlink(path, target, sizeof target - 1);
    target[length < 0 ? 0 : length] = '\0';
    printf("link %s=%s\n", path, length < 0 ? "(none)" : target);
}

int main(int count, char **arguments) {
    char line[256] = "(none)";
    struct stat about;
    struct passwd *account = getpwuid(getuid());
    FILE *release = fopen("/etc/debian_version", "r");
    if (release && fgets(line, sizeof line, release)) line[strcspn(line, "\n")] = '\0';
    printf("libc=%s\n", gnu_get_libc_version());
    printf("base=%s\n", line);
    printf("uid=%u gid=%u account=%s\n", getuid(), getgid(), account ? account->pw_name : "(none)");
    if (stat("/tmp", &about) == 0) printf("tmp=%o\n", about.st_mode & 07777);
    for (int i = 1; i < count; i++) printf("argument=%s\n", arguments[i]);
    variable("BASE_SAYS");
    variable("APP_SAYS");
    variable("PATH");
    link_of("/bin");
    link_of("/lib");
    return fflush(stdout);
}
