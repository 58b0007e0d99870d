/* Files by way of the C library, for tests: what comes out is compared with another runtime's. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void list(const char *path, int depth) {
    char *names[256];
    int count = 0;
    DIR *directory = opendir(path);
    if (!directory) {
        printf("opendir %s: %s\n", path, strerror(errno));
        return;
    }
    for (struct dirent *entry; (entry = readdir(directory)) && count < 256;)
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            names[count++] = strdup(entry->d_name);
    closedir(directory);
    qsort(names, count, sizeof *names, by_name);
    for (int at = 0; at < count; at++) {
        char inner[512];
        struct stat status;
        snprintf(inner, sizeof inner, "%s/%s", path, names[at]);
        if (stat(inner, &status)) {
            printf("stat %s: %s\n", inner, strerror(errno));
            continue;
        }
        printf("%*s%s%s", depth * 2, "", names[at], S_ISDIR(status.st_mode) ? "/" : "");
        if (!S_ISDIR(status.st_mode))
            printf(" %lld", (long long)status.st_size);
        printf("\n");
        if (S_ISDIR(status.st_mode))
            list(inner, depth + 1);
        free(names[at]);
    }
}

static void remove_all(const char *path) {
    DIR *directory = opendir(path);
    for (struct dirent *entry; (entry = readdir(directory));) {
        char inner[512];
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        if (unlink(inner))
            remove_all(inner);
    }
    closedir(directory);
    printf("rmdir %s: %d\n", path, rmdir(path));
}

#define TRY(call) printf("%s: %s\n", #call, (call) < 0 ? strerror(errno) : "done")

static unsigned checksum(FILE *file) {
    unsigned sum = 0;
    for (int byte; (byte = getc(file)) != EOF;)
        sum = sum * 31 + byte;
    return sum;
}

static int read_only(void) {
    TRY(open("in.txt", O_WRONLY));
    TRY(open("in.txt", O_RDWR));
    TRY(open("in.txt", O_RDONLY | O_TRUNC));
    TRY(open("in.txt", O_RDONLY));
    TRY(mkdir("new", 0777));
    TRY(unlink("in.txt"));
    TRY(rename("in.txt", "x"));
    TRY(fopen("new", "w") ? 0 : -1);
    list("/", 0);
    return 3;
}

int main(int count, char **words) {
    char line[100];
    if (count > 1 && !strcmp(words[1], "read-only"))
        return read_only();
    FILE *in = fopen("/in.txt", "r");
    if (!in) {
        perror("in.txt");
        return 2;
    }
    while (fgets(line, sizeof line, in))
        printf("read %s", line);
    printf("at %ld\n", ftell(in));
    rewind(in);
    printf("first %c\n", getc(in));
    fclose(in);

    TRY(mkdir("work", 0777));
    TRY(mkdir("work", 0777));
    TRY(mkdir("work/a/b", 0777));
    FILE *out = fopen("work/numbers", "w+");
    for (int at = 0; at < 500; at++)
        fprintf(out, "%d squared is %d\n", at, at * at);
    fseek(out, -20, SEEK_END);
    fputs("overwritten", out);
    fseek(out, 100000, SEEK_SET);
    fputc('!', out);
    rewind(out);
    printf("checksum %u\n", checksum(out));
    TRY(ftruncate(fileno(out), 1000));
    rewind(out);
    printf("checksum %u\n", checksum(out));
    fclose(out);

    FILE *log = fopen("work/log", "a");
    fputs("one\n", log);
    fclose(log);
    log = fopen("work/log", "a+");
    fputs("two\n", log);
    rewind(log);
    printf("log %u\n", checksum(log));
    fclose(log);
    for (int at = 0; at < 100; at++) {
        snprintf(line, sizeof line, "work/many%d", at);
        FILE *one = fopen(line, "wx");
        fprintf(one, "%d", at);
        fclose(one);
    }
    printf("again %d\n", fopen("work/log", "wx") == NULL && errno == EEXIST);
    TRY(rename("work/log", "work/renamed"));
    TRY(rename("work/log", "work/x"));
    TRY(rename("work", "work/inside"));
    TRY(rename("work/renamed", "work"));
    TRY(remove("work"));
    TRY(remove("work/missing"));
    TRY(open("work", O_WRONLY));
    TRY(open("in.txt/x", O_RDONLY));
    TRY(access("work/numbers", R_OK));
    TRY(access("elsewhere", R_OK));
    TRY(link("in.txt", "linked"));
    list("/", 0);

    int gone = open("work/many7", O_RDWR);
    TRY(unlink("work/many7"));
    TRY((int)pwrite(gone, "still here", 10, 5));
    memset(line, 0, sizeof line);
    printf("pread %d", (int)pread(gone, line, 99, 0));
    printf(" %s\n", line + 5);
    close(gone);
    TRY((int)read(gone, line, 1));

    if (count > 1) {
        fflush(stdout);
        printf("to the file: %d\n", freopen("work/stdout", "w", stdout) != NULL);
        fflush(stdout);
        return 0;
    }
    remove_all("work");
    list("/", 0);
    return 7;
}
