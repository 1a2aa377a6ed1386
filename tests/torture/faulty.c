/* A library to preload: counts the calls by which a process changes files below one directory, and
 * lets one of them fail, kills the process there, or takes the directory away.
 *
 * Built and used by tests/torture/forker.py. Calls are those of libc, so what SQLite and Python
 * itself write is counted as well.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { COUNT, KILL, FULL, ONCE, VANISH, FORBID };

static char prefix[PATH_MAX];
static size_t prefix_length;
static long at;
static int mode, number; /* number: the errno of a failing call. */
static atomic_long calls, failed;
static long jump; /* Seconds by which the wall clock jumps to and fro. */

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

void faulty_arm(const char *directory, long when, int how, int error) {
  snprintf(prefix, sizeof prefix, "%s", directory);
  at = when, mode = how, number = error;
  atomic_store(&calls, 0);
  atomic_store(&failed, 0);
  prefix_length = strlen(prefix);
}

void faulty_clock(long seconds) { jump = seconds; }
long faulty_calls(void) { return atomic_load(&calls); }
long faulty_failed(void) { return atomic_load(&failed); }

static int below(const char *path) {
  return !strncmp(path, prefix, prefix_length) &&
         (path[prefix_length] == '/' || path[prefix_length] == 0);
}

static int inside_fd(int fd) {
  if (!prefix_length) return 0;
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return below(path);
}

static int inside(int directory, const char *path) {
  if (!prefix_length || !path) return 0;
  if (path[0] == '/') return below(path);
  char full[2 * PATH_MAX], base[PATH_MAX];
  if (directory == AT_FDCWD) {
    if (!getcwd(base, sizeof base)) return 0;
  } else {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", directory);
    ssize_t length = readlink(link, base, sizeof base - 1);
    if (length < 0) return 0;
    base[length] = 0;
  }
  while (!strncmp(path, "./", 2)) path += 2;
  snprintf(full, sizeof full, "%s/%s", base, path);
  return below(full);
}

static void die(void) {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

/* Count a call; returns the errno with which it has to fail, or 0. `grows`: it needs room. */
static int fault(int grows) {
  long call = atomic_fetch_add(&calls, 1) + 1;
  if (mode == COUNT || call < at) return 0;
  if (mode == KILL) die();
  if (mode == VANISH) {
    if (call == at) {
      char gone[PATH_MAX + 8];
      snprintf(gone, sizeof gone, "%s.gone", prefix);
      NEXT(rename)(prefix, gone);
      atomic_fetch_add(&failed, 1);
    }
    return 0;
  }
  if (mode == ONCE && call != at) return 0;
  if (mode == FULL && !grows) return 0;
  atomic_fetch_add(&failed, 1);
  return number;
}

#define FAIL_IF(condition, grows)                  \
  do {                                             \
    int error_;                                    \
    if ((condition) && (error_ = fault(grows))) {  \
      errno = error_;                              \
      return -1;                                   \
    }                                              \
  } while (0)

/* Of a write that is cut off, the first half arrives. */
#define WRITE(name, signature, arguments, half)              \
  ssize_t name signature {                                   \
    __typeof__(&name) real = NEXT(name);                     \
    if (inside_fd(fd)) {                                     \
      if (mode == KILL && atomic_load(&calls) + 1 == at) {   \
        half;                                                \
        die();                                               \
      }                                                      \
      int error_ = fault(1);                                 \
      if (error_) {                                          \
        if (atomic_load(&failed) == 1) half;                 \
        errno = error_;                                      \
        return -1;                                           \
      }                                                      \
    }                                                        \
    return real arguments;                                   \
  }

WRITE(write, (int fd, const void *data, size_t size), (fd, data, size),
      (void)!real(fd, data, size / 2))
WRITE(pwrite, (int fd, const void *data, size_t size, off_t place), (fd, data, size, place),
      (void)!real(fd, data, size / 2, place))
WRITE(pwrite64, (int fd, const void *data, size_t size, off64_t place), (fd, data, size, place),
      (void)!real(fd, data, size / 2, place))
WRITE(writev, (int fd, const struct iovec *parts, int count), (fd, parts, count),
      (void)!real(fd, parts, count / 2))

#define CHANGES(flags) ((flags) & (O_CREAT | O_WRONLY | O_RDWR | O_TRUNC))

#define OPEN(name, signature, arguments, directory)                           \
  int name signature {                                                        \
    va_list rest;                                                             \
    va_start(rest, flags);                                                    \
    mode_t permissions = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
    va_end(rest);                                                             \
    FAIL_IF(CHANGES(flags) && inside(directory, path), !!(flags & O_CREAT));  \
    return NEXT(name) arguments;                                              \
  }

OPEN(open, (const char *path, int flags, ...), (path, flags, permissions), AT_FDCWD)
OPEN(open64, (const char *path, int flags, ...), (path, flags, permissions), AT_FDCWD)
OPEN(openat, (int where, const char *path, int flags, ...), (where, path, flags, permissions), where)
OPEN(openat64, (int where, const char *path, int flags, ...), (where, path, flags, permissions), where)

#define CALL(name, signature, arguments, condition, grows) \
  int name signature {                                     \
    FAIL_IF(condition, grows);                             \
    return NEXT(name) arguments;                           \
  }

CALL(rename, (const char *from, const char *to), (from, to), inside(AT_FDCWD, to), 0)
CALL(renameat, (int a, const char *from, int b, const char *to), (a, from, b, to), inside(b, to), 0)
CALL(link, (const char *from, const char *to), (from, to), inside(AT_FDCWD, to), 1)
CALL(linkat, (int a, const char *from, int b, const char *to, int flags), (a, from, b, to, flags),
     inside(b, to), 1)
CALL(unlink, (const char *path), (path), inside(AT_FDCWD, path), 0)
CALL(unlinkat, (int where, const char *path, int flags), (where, path, flags), inside(where, path), 0)
CALL(mkdir, (const char *path, mode_t permissions), (path, permissions), inside(AT_FDCWD, path), 1)
CALL(chmod, (const char *path, mode_t permissions), (path, permissions), inside(AT_FDCWD, path), 0)
CALL(fsync, (int fd), (fd), inside_fd(fd), 0)
CALL(fdatasync, (int fd), (fd), inside_fd(fd), 0)
CALL(ftruncate, (int fd, off_t size), (fd, size), inside_fd(fd), 0)
CALL(ftruncate64, (int fd, off64_t size), (fd, size), inside_fd(fd), 0)

int clock_gettime(clockid_t clock, struct timespec *now) {
  int done = NEXT(clock_gettime)(clock, now);
  static atomic_long asked;
  if (jump && clock == CLOCK_REALTIME && atomic_fetch_add(&asked, 1) % 2) now->tv_sec -= jump;
  return done;
}
