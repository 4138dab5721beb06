/* A service: answers every request on port 8080 with what it finds of its machine and its configuration. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *text(const char *folder, const char *name) {
    static char buffers[4][256];
    static int next;
    char path[512], *buffer = buffers[next++ % 4];
    FILE *file;
    snprintf(path, sizeof path, "%s/%s", folder ? folder : "/nowhere", name);
    file = fopen(path, "r");
    if (!file || !fgets(buffer, 256, file)) strcpy(buffer, "none");
    if (file) fclose(file);
    buffer[strcspn(buffer, "\n")] = 0;
    return buffer;
}

int main(void) {
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(8080) };
    int listener = socket(AF_INET, SOCK_STREAM, 0), yes = 1, peer;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 8)) return 1;
    while ((peer = accept(listener, NULL, NULL)) >= 0) {
        char request[1024], answer[2048], host[256] = "";
        if (read(peer, request, sizeof request) > 0) {
            gethostname(host, sizeof host - 1);
            snprintf(answer, sizeof answer, "HTTP/1.0 200 OK\r\n\r\nanswer user=%d host=%s greeting=%s token=%s cloud=%s\n",
                (int)getuid(), host, text("/run/config", "greeting"), text(getenv("CREDENTIALS_DIRECTORY"), "token"),
                text("/etc", "from-cloud-init"));
            if (write(peer, answer, strlen(answer)) < 0) perror("answer");
        }
        close(peer);
    }
    return 1;
}
