/* Records what a process does to the files of one folder, in order, so that a power cut can be replayed; can also play a full disk.
 *
 * Preloaded (LD_PRELOAD) into the program under test. Environment:
 *   RESCIND_SHIM_DIR            folder to watch; it must exist when the process starts
 *   RESCIND_SHIM_LOG            record file, outside that folder; several processes and the test itself may append to it
 *   RESCIND_SHIM_FULL           flag file; while it exists the disk misbehaves, by the words in it:
 *                                 "all" or nothing  every write, allocation and file creation fails with ENOSPC
 *                                 "extend"          only what grows a file or creates one fails (overwriting still works, as on a real disk)
 *                                 "eio"             fsync and fdatasync fail with EIO
 *   RESCIND_SHIM_SYNC_DELAY_US  sleep so long inside each sync: an acknowledgement sent before its sync ends is then seen to be early
 *
 * Order. A change and its record are made under one lock, the record before the call returns, so the order in the log is the order of
 * effects within a process, and between processes it respects cause and effect. A sync has two records: what was logged before the first
 * is on the disk once the second is there; a write that runs beside the sync gains nothing from it.
 *
 * Files are recognised by fstat (device, inode) and not by descriptor: dup, close and inheritance need no bookkeeping.
 * Calls go to the kernel by syscall(2), so nothing here depends on which C library function calls which.
 *
 * Not watched: mmap (SQLite maps only its -shm file for writing, which it rebuilds), stdio streams, io_uring, O_SYNC and O_DSYNC (their writes count as
 * unsynced), sync and syncfs (count as nothing), renamed folders, sockets, symbolic links. sync_file_range flushes no metadata and no device cache: it counts as nothing too.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum op { OP_OPEN = 1, OP_WRITE, OP_TRUNCATE, OP_EXTEND, OP_SYNC_BEGIN, OP_SYNC_END, OP_RENAME, OP_REMOVE, OP_LINK, OP_MARK };
enum flag { F_CREATED = 1, F_FAILED = 1, F_DIRECTORY = 2 };
enum fault { FAULT_ALL = 1, FAULT_EXTEND = 2, FAULT_EIO = 4 };

/* The head of a record; name and data follow. src/log.rs reads the same layout, little-endian. */
struct head {
    char magic[4];
    uint32_t op, thread, flags;
    uint64_t inode, offset, length;
    uint32_t name_len, data_len;
};

enum { WATCHED_MAX = 16384 };
static struct { dev_t dev; ino_t ino; } watched[WATCHED_MAX];
static size_t watched_len;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static char root[PATH_MAX];
static size_t root_len;
static int log_fd = -1;
static const char *full_flag;
static long sync_delay_us;

static void die(const char *why)
{
    dprintf(2, "rescind crash shim: %s: %s\n", why, strerror(errno));
    abort(); /* a lost record would let a broken run pass */
}

static void take(void) { pthread_mutex_lock(&lock); }
static void leave(void) { pthread_mutex_unlock(&lock); }

static void set_up(void)
{
    const char *dir = getenv("RESCIND_SHIM_DIR"), *log = getenv("RESCIND_SHIM_LOG"), *delay = getenv("RESCIND_SHIM_SYNC_DELAY_US");
    if (!dir || !log) return;
    if (!realpath(dir, root)) die("RESCIND_SHIM_DIR");
    root_len = strlen(root);
    log_fd = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (log_fd < 0) die("RESCIND_SHIM_LOG");
    int high = fcntl(log_fd, F_DUPFD_CLOEXEC, 512); /* out of the way of programs that expect small numbers */
    if (high >= 0) { syscall(SYS_close, log_fd); log_fd = high; }
    full_flag = getenv("RESCIND_SHIM_FULL");
    sync_delay_us = delay ? atol(delay) : 0;
    pthread_atfork(take, leave, leave); /* or a child could inherit the lock held by nobody */
}

__attribute__((constructor)) static void start(void) { pthread_once(&once, set_up); }
static int watching(void) { start(); return log_fd >= 0; }

/* One writev with O_APPEND: appends of several processes do not mix. */
static void record(enum op op, uint32_t flags, uint64_t inode, uint64_t offset, uint64_t length, const char *name, size_t name_len,
                   const void *data, size_t data_len)
{
    struct head h = { { 'R', 'S', 'H', '1' }, op, (uint32_t)syscall(SYS_gettid), flags, inode, offset, length, name_len, data_len };
    struct iovec parts[3] = { { &h, sizeof h }, { (void *)name, name_len }, { (void *)data, data_len } };
    ssize_t want = sizeof h + name_len + data_len;
    if (syscall(SYS_writev, log_fd, parts, 3) != want) die("writing the log");
}

static size_t find(const struct stat *st)
{
    size_t i = watched_len;
    while (i > 0 && !(watched[i - 1].ino == st->st_ino && watched[i - 1].dev == st->st_dev)) i--;
    return i; /* 0: not there */
}

static int watch(const struct stat *st)
{
    if (find(st)) return 0;
    if (watched_len == WATCHED_MAX) { errno = ENFILE; die("too many files in the folder"); }
    watched[watched_len].dev = st->st_dev;
    watched[watched_len++].ino = st->st_ino;
    return 1;
}

/* A file without a name cannot come back after a power cut, and its number may be given to a stranger. */
static void unwatch(const struct stat *st)
{
    size_t i = find(st);
    if (i && st->st_nlink == 1) watched[i - 1] = watched[--watched_len];
}

/* The path below the watched folder, symlinks of the parents resolved; 0 when elsewhere. */
static int inside(int dirfd, const char *path, char rel[PATH_MAX])
{
    char joined[PATH_MAX], parent[PATH_MAX], link[64];
    if (!watching() || !path || !*path) return 0;
    if (path[0] == '/' || dirfd == AT_FDCWD) {
        if (snprintf(joined, sizeof joined, "%s%s", path[0] == '/' ? "" : "./", path) >= (int)sizeof joined) return 0;
    } else {
        snprintf(link, sizeof link, "/proc/self/fd/%d/", dirfd);
        if (snprintf(joined, sizeof joined, "%s%s", link, path) >= (int)sizeof joined) return 0;
    }
    char *last = strrchr(joined, '/');
    if (!last[1] || !strcmp(last + 1, ".") || !strcmp(last + 1, "..")) return 0;
    *last = 0;
    int saved = errno;
    char *found = realpath(*joined ? joined : "/", parent);
    errno = saved;
    if (!found || strncmp(parent, root, root_len) || (parent[root_len] && parent[root_len] != '/')) return 0;
    const char *below = parent[root_len] ? parent + root_len + 1 : "";
    return snprintf(rel, PATH_MAX, "%s%s%s", below, *below ? "/" : "", last + 1) < PATH_MAX;
}

static int faults(void)
{
    char words[64] = "";
    if (!full_flag) return 0;
    int saved = errno, fd = syscall(SYS_openat, AT_FDCWD, full_flag, O_RDONLY | O_CLOEXEC);
    if (fd < 0) { errno = saved; return 0; }
    ssize_t n = read(fd, words, sizeof words - 1);
    syscall(SYS_close, fd);
    errno = saved;
    words[n > 0 ? n : 0] = 0;
    int set = (strstr(words, "extend") ? FAULT_EXTEND : 0) | (strstr(words, "eio") ? FAULT_EIO : 0);
    return !set || strstr(words, "all") ? set | FAULT_ALL : set;
}

static int no_space(off_t size, off_t end)
{
    int set = faults();
    return (set & FAULT_ALL) || ((set & FAULT_EXTEND) && end > size);
}

/* Takes the lock and answers 1 when the descriptor is a watched file. */
static int take_file(int fd, struct stat *st)
{
    int saved = errno;
    if (!watching()) return 0;
    if (fstat(fd, st) || !S_ISREG(st->st_mode)) { errno = saved; return 0; }
    take();
    if (find(st)) return 1;
    leave();
    return 0;
}

/* ---- opening ---- */

static int open_any(int dirfd, const char *path, int flags, mode_t mode)
{
    char rel[PATH_MAX];
    struct stat before, st;
    if ((flags & O_PATH) == O_PATH) return syscall(SYS_openat, dirfd, path, flags, mode);
    int nameless = (flags & O_TMPFILE) == O_TMPFILE;
    if (nameless) {
        char probe[PATH_MAX];
        snprintf(probe, sizeof probe, "%s/x", path);
        if (!inside(dirfd, probe, rel)) return syscall(SYS_openat, dirfd, path, flags, mode);
        rel[0] = 0;
    } else if (!inside(dirfd, path, rel)) {
        return syscall(SYS_openat, dirfd, path, flags, mode);
    }
    take();
    int saved = errno;
    int existed = !nameless && fstatat(dirfd, path, &before, 0) == 0;
    errno = saved;
    if (!existed && (flags & O_CREAT) && no_space(0, 1)) { leave(); errno = ENOSPC; return -1; }
    int fd = syscall(SYS_openat, dirfd, path, flags, mode);
    saved = errno;
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        if (watch(&st) | !existed) record(OP_OPEN, existed ? 0 : F_CREATED, st.st_ino, 0, st.st_mode & 07777, rel, strlen(rel), 0, 0);
        if (existed && before.st_size && (flags & O_TRUNC)) record(OP_TRUNCATE, 0, st.st_ino, 0, 0, 0, 0, 0, 0);
    }
    leave();
    errno = saved;
    return fd;
}

static mode_t mode_of(int flags, va_list rest) { return flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0; }

#define OPEN(name)                                                                                                             \
    int name(const char *path, int flags, ...)                                                                                 \
    {                                                                                                                          \
        va_list rest;                                                                                                          \
        va_start(rest, flags);                                                                                                 \
        mode_t mode = mode_of(flags, rest);                                                                                    \
        va_end(rest);                                                                                                          \
        return open_any(AT_FDCWD, path, flags, mode);                                                                          \
    }
#define OPENAT(name)                                                                                                           \
    int name(int dirfd, const char *path, int flags, ...)                                                                      \
    {                                                                                                                          \
        va_list rest;                                                                                                          \
        va_start(rest, flags);                                                                                                 \
        mode_t mode = mode_of(flags, rest);                                                                                    \
        va_end(rest);                                                                                                          \
        return open_any(dirfd, path, flags, mode);                                                                             \
    }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
/* What fortified programs call. */
int __open_2(const char *path, int flags) { return open_any(AT_FDCWD, path, flags, 0); }
int __open64_2(const char *path, int flags) { return open_any(AT_FDCWD, path, flags, 0); }
int __openat_2(int dirfd, const char *path, int flags) { return open_any(dirfd, path, flags, 0); }
int __openat64_2(int dirfd, const char *path, int flags) { return open_any(dirfd, path, flags, 0); }
int creat(const char *path, mode_t mode) { return open_any(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return open_any(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

/* ---- writing ---- */

enum { AT_POSITION = -1 };

static ssize_t raw_writev(int fd, const struct iovec *parts, int count, off_t at, int flags)
{
    if (at == AT_POSITION && !flags) return syscall(SYS_writev, fd, parts, count);
    return syscall(SYS_pwritev2, fd, parts, count, at, 0L, flags);
}

static ssize_t write_any(int fd, const struct iovec *parts, int count, off_t at, int flags)
{
    struct stat st;
    if (!take_file(fd, &st)) return raw_writev(fd, parts, count, at, flags);
    size_t whole = 0;
    for (int i = 0; i < count; i++) whole += parts[i].iov_len;
    int append = fcntl(fd, F_GETFL) & O_APPEND; /* then the kernel ignores the offset of pwrite too */
    off_t from = append ? st.st_size : at == AT_POSITION ? lseek(fd, 0, SEEK_CUR) : at;
    if (whole && no_space(st.st_size, from + (off_t)whole)) { leave(); errno = ENOSPC; return -1; }
    ssize_t n = raw_writev(fd, parts, count, at, flags);
    int saved = errno;
    if (n > 0) {
        char *flat = malloc(n), *end = flat;
        if (!flat) die("memory");
        for (int i = 0; i < count && end < flat + n; i++) {
            size_t room = flat + n - end, part = parts[i].iov_len < room ? parts[i].iov_len : room;
            memcpy(end, parts[i].iov_base, part);
            end += part;
        }
        record(OP_WRITE, 0, st.st_ino, from, 0, 0, 0, flat, n);
        free(flat);
    }
    leave();
    errno = saved;
    return n;
}

ssize_t write(int fd, const void *data, size_t len)
{
    struct iovec one = { (void *)data, len };
    struct stat st; /* what is not a regular file keeps exactly the call that was made */
    if (!watching() || fstat(fd, &st) || !S_ISREG(st.st_mode)) return syscall(SYS_write, fd, data, len);
    return write_any(fd, &one, 1, AT_POSITION, 0);
}
ssize_t pwrite(int fd, const void *data, size_t len, off_t at)
{
    struct iovec one = { (void *)data, len };
    if (at < 0) { errno = EINVAL; return -1; }
    return write_any(fd, &one, 1, at, 0);
}
ssize_t pwrite64(int fd, const void *data, size_t len, off64_t at) { return pwrite(fd, data, len, at); }
ssize_t writev(int fd, const struct iovec *parts, int count) { return write_any(fd, parts, count, AT_POSITION, 0); }
ssize_t pwritev2(int fd, const struct iovec *parts, int count, off_t at, int flags) { return write_any(fd, parts, count, at, flags); }
ssize_t pwritev64v2(int fd, const struct iovec *parts, int count, off64_t at, int flags) { return write_any(fd, parts, count, at, flags); }
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at)
{
    if (at < 0) { errno = EINVAL; return -1; }
    return write_any(fd, parts, count, at, 0);
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) { return pwritev(fd, parts, count, at); }

/* Copies inside the kernel: refused, so that the caller falls back to write. */
static int refuse_copy(int fd)
{
    struct stat st;
    if (!take_file(fd, &st)) return 0;
    leave();
    errno = ENOSYS;
    return 1;
}
ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t len, unsigned flags)
{
    return refuse_copy(out) ? -1 : syscall(SYS_copy_file_range, in, from, out, to, len, flags);
}
ssize_t sendfile(int out, int in, off_t *from, size_t len) { return refuse_copy(out) ? -1 : syscall(SYS_sendfile, out, in, from, len); }
ssize_t sendfile64(int out, int in, off64_t *from, size_t len) { return refuse_copy(out) ? -1 : syscall(SYS_sendfile, out, in, from, len); }
ssize_t splice(int in, off64_t *from, int out, off64_t *to, size_t len, unsigned flags)
{
    return refuse_copy(out) ? -1 : syscall(SYS_splice, in, from, out, to, len, flags);
}

/* ---- length ---- */

int ftruncate(int fd, off_t length)
{
    struct stat st;
    if (!take_file(fd, &st)) return syscall(SYS_ftruncate, fd, length);
    int answer = syscall(SYS_ftruncate, fd, length), saved = errno;
    if (!answer) record(OP_TRUNCATE, 0, st.st_ino, 0, length, 0, 0, 0, 0);
    leave();
    errno = saved;
    return answer;
}
int ftruncate64(int fd, off64_t length) { return ftruncate(fd, length); }

int truncate(const char *path, off_t length)
{
    int fd = open_any(AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);
    if (fd < 0) return -1;
    int answer = ftruncate(fd, length), saved = errno;
    syscall(SYS_close, fd);
    errno = saved;
    return answer;
}
int truncate64(const char *path, off64_t length) { return truncate(path, length); }

int fallocate(int fd, int mode, off_t from, off_t len)
{
    struct stat st;
    if (!take_file(fd, &st)) return syscall(SYS_fallocate, fd, mode, from, len);
    if (mode & ~FALLOC_FL_KEEP_SIZE) { leave(); errno = EOPNOTSUPP; return -1; } /* holes and shifts are not recorded: refuse them */
    if (no_space(st.st_size, from + len)) { leave(); errno = ENOSPC; return -1; }
    int answer = syscall(SYS_fallocate, fd, mode, from, len), saved = errno;
    if (!answer && !mode) record(OP_EXTEND, 0, st.st_ino, 0, from + len, 0, 0, 0, 0);
    leave();
    errno = saved;
    return answer;
}
int fallocate64(int fd, int mode, off64_t from, off64_t len) { return fallocate(fd, mode, from, len); }

int posix_fallocate(int fd, off_t from, off_t len)
{
    int saved = errno, answer = fallocate(fd, 0, from, len) ? errno : 0;
    errno = saved;
    return answer;
}
int posix_fallocate64(int fd, off64_t from, off64_t len) { return posix_fallocate(fd, from, len); }

/* ---- syncing ---- */

static int sync_any(long call, int fd)
{
    struct stat st;
    char path[PATH_MAX], link[64];
    const char *name = "";
    int saved = errno;
    if (!watching() || fstat(fd, &st)) { errno = saved; return syscall(call, fd); }
    uint32_t kind = S_ISDIR(st.st_mode) ? F_DIRECTORY : 0;
    if (kind) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(link, path, sizeof path - 1);
        path[n > 0 ? n : 0] = 0;
        if (strncmp(path, root, root_len) || (path[root_len] && path[root_len] != '/')) { errno = saved; return syscall(call, fd); }
        name = path[root_len] ? path + root_len + 1 : "";
    }
    take();
    if (!kind && !find(&st)) { leave(); errno = saved; return syscall(call, fd); }
    record(OP_SYNC_BEGIN, kind, st.st_ino, 0, 0, name, strlen(name), 0, 0);
    leave(); /* others may write meanwhile, as they may on a real disk */
    if (sync_delay_us) nanosleep(&(struct timespec){ sync_delay_us / 1000000, sync_delay_us % 1000000 * 1000 }, 0);
    errno = saved;
    int answer = faults() & FAULT_EIO ? (errno = EIO, -1) : (int)syscall(call, fd);
    saved = errno;
    take();
    record(OP_SYNC_END, kind | (answer ? F_FAILED : 0), st.st_ino, 0, 0, name, strlen(name), 0, 0);
    leave();
    errno = saved;
    return answer;
}
int fsync(int fd) { return sync_any(SYS_fsync, fd); }
int fdatasync(int fd) { return sync_any(SYS_fdatasync, fd); }

/* ---- names ---- */

static void record_names(enum op op, uint64_t inode, const char *old, const char *new)
{
    char both[2 * PATH_MAX];
    size_t first = strlen(old), second = strlen(new);
    memcpy(both, old, first + 1);
    memcpy(both + first + 1, new, second);
    record(op, 0, inode, 0, 0, both, first + 1 + second, 0, 0);
}

int renameat2(int olddir, const char *old, int newdir, const char *new, unsigned flags)
{
    char old_rel[PATH_MAX], new_rel[PATH_MAX];
    struct stat moved, replaced;
    int from = inside(olddir, old, old_rel), to = inside(newdir, new, new_rel), saved = errno;
    if ((!from && !to) || fstatat(olddir, old, &moved, AT_SYMLINK_NOFOLLOW) || !S_ISREG(moved.st_mode)) {
        errno = saved;
        return syscall(SYS_renameat2, olddir, old, newdir, new, flags);
    }
    if (!from) { errno = EXDEV; return -1; } /* its bytes were never recorded: make the caller copy them */
    if (flags & ~RENAME_NOREPLACE) { errno = EINVAL; return -1; }
    take();
    int over = fstatat(newdir, new, &replaced, AT_SYMLINK_NOFOLLOW) == 0;
    errno = saved;
    int answer = syscall(SYS_renameat2, olddir, old, newdir, new, flags);
    saved = errno;
    if (!answer && !(over && replaced.st_ino == moved.st_ino)) { /* two names of one file: rename does nothing */
        if (over && to) unwatch(&replaced);
        if (!to) unwatch(&moved);
        if (to) record_names(OP_RENAME, moved.st_ino, old_rel, new_rel);
        else record(OP_REMOVE, 0, 0, 0, 0, old_rel, strlen(old_rel), 0, 0);
    }
    leave();
    errno = saved;
    return answer;
}
int renameat(int olddir, const char *old, int newdir, const char *new) { return renameat2(olddir, old, newdir, new, 0); }
int rename(const char *old, const char *new) { return renameat2(AT_FDCWD, old, AT_FDCWD, new, 0); }

int unlinkat(int dirfd, const char *path, int flags)
{
    char rel[PATH_MAX];
    struct stat st;
    int saved = errno;
    if ((flags & AT_REMOVEDIR) || !inside(dirfd, path, rel) || fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode)) {
        errno = saved;
        return syscall(SYS_unlinkat, dirfd, path, flags);
    }
    take();
    int answer = syscall(SYS_unlinkat, dirfd, path, flags);
    saved = errno;
    if (!answer) {
        unwatch(&st);
        record(OP_REMOVE, 0, 0, 0, 0, rel, strlen(rel), 0, 0);
    }
    leave();
    errno = saved;
    return answer;
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }

int linkat(int olddir, const char *old, int newdir, const char *new, int flags)
{
    char old_rel[PATH_MAX] = "", new_rel[PATH_MAX];
    struct stat st;
    int saved = errno, follow = flags & AT_SYMLINK_FOLLOW ? 0 : AT_SYMLINK_NOFOLLOW;
    if (!inside(newdir, new, new_rel) || fstatat(olddir, old, &st, follow | (flags & AT_EMPTY_PATH))) {
        errno = saved;
        return syscall(SYS_linkat, olddir, old, newdir, new, flags);
    }
    int from = inside(olddir, old, old_rel);
    take();
    if (!from && !find(&st)) { leave(); errno = EXDEV; return -1; }
    errno = saved;
    int answer = syscall(SYS_linkat, olddir, old, newdir, new, flags);
    saved = errno;
    if (!answer) {
        watch(&st);
        record_names(OP_LINK, st.st_ino, from ? old_rel : "", new_rel);
    }
    leave();
    errno = saved;
    return answer;
}
int link(const char *old, const char *new) { return linkat(AT_FDCWD, old, AT_FDCWD, new, 0); }
