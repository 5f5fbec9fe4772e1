# SPDX-License-Identifier: LGPL-2.1-or-later
"""Extended attributes and ACLs: fuse-xattr.py CASE DIR [SEED]

Does the same on any file system and prints what came of it, for diff. Needs root."""
import ctypes
import errno
import os
import random
import stat
import struct
import subprocess
import sys

USER, GROUP, OTHER_GROUP = 4000, 4001, 4002
ACCESS, DEFAULT = "system.posix_acl_access", "system.posix_acl_default"
U, UN, G, GN, M, O = 1, 2, 4, 8, 16, 32
libc = ctypes.CDLL(None, use_errno=True)


def say(*words):
    print(*words, flush=True)


def result(fn, *args, **keywords):
    """What fn returns, or the name of its error."""
    try:
        return fn(*args, **keywords)
    except OSError as e:
        return errno.errorcode.get(e.errno, str(e.errno))


def short(value):
    if isinstance(value, bytes) and len(value) > 60:
        return "%d bytes, %d" % (len(value), sum(value))
    return value


def tell(what, fn, *args, **keywords):
    r = result(fn, *args, **keywords)
    say(what, "->", short(sorted(r) if isinstance(r, list) else r))
    return r


def as_user(fn, *args, uid=USER, gid=GROUP, groups=()):
    """In a child process without any privilege."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups(list(groups))
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
            fn(*args)
            sys.stdout.flush()
            os._exit(0)
        except BaseException as e:
            print("child:", e, flush=True)
            os._exit(1)
    assert os.waitpid(pid, 0)[1] == 0


def acl(*entries):
    """Entries (tag, permissions[, id])."""
    out = struct.pack("<I", 2)
    for tag, perm, *rest in entries:
        out += struct.pack("<HHI", tag, perm, rest[0] if rest else 0xffffffff)
    return out


def mode(path):
    return oct(os.lstat(path).st_mode)


def dump(path):
    """Mode and all attributes."""
    names = result(os.listxattr, path, follow_symlinks=False)
    if isinstance(names, str):
        say(" ", os.path.basename(path), mode(path), names)
        return
    values = {n: short(result(os.getxattr, path, n, follow_symlinks=False)) for n in sorted(names)}
    say(" ", os.path.basename(path), mode(path), values)


def make_all():
    open("file", "w").close()
    os.mkdir("dir")
    os.symlink("file", "link")
    os.mkfifo("fifo")
    os.mknod("char", 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    return ["file", "dir", "link", "fifo", "char"]


def names():
    paths = make_all()
    for path in paths:
        for name in ("user.a", "trusted.a", "security.a", "system.a", "system.data", "user.", "user", "other.a", "",
                     "trusted.", "security.", ACCESS + "x", "user." + "n" * 250, "user." + "n" * 251,
                     "user.\u1ec7\u00e9", "gnu.translator", "gnu.", "os2.x"):
            tell("%s set %s" % (path, name[:30]), os.setxattr, path, name, b"value", follow_symlinks=False)
            tell("%s get %s" % (path, name[:30]), os.getxattr, path, name, follow_symlinks=False)
            tell("%s create %s" % (path, name[:30]), os.setxattr, path, name, b"v2", os.XATTR_CREATE,
                 follow_symlinks=False)
            tell("%s replace %s" % (path, name[:30]), os.setxattr, path, name, b"v3", os.XATTR_REPLACE,
                 follow_symlinks=False)
            tell("%s both %s" % (path, name[:30]), os.setxattr, path, name, b"v4", 3, follow_symlinks=False)
        dump(path)
        for name in ("user.a", "user.b", "trusted.a", "trusted.b", "security.a", "system.a", "user.", ACCESS, DEFAULT):
            tell("%s remove %s" % (path, name), os.removexattr, path, name, follow_symlinks=False)
        dump(path)
    for size in (0, 1, 60, 90, 1000, 3000, 4000, 4036, 4040, 4060, 4096, 5000, 65536, 65537):
        tell("value of %d" % size, os.setxattr, "file", "user.value", b"x" * size)
        dump("file")
    tell("remove", os.removexattr, "file", "user.value")
    # room in the inode, then in the block, then none
    for i in range(300):
        r = result(os.setxattr, "file", "user.%d" % i, b"value %d" % i)
        if r is not None:
            say("attribute", i, r)
            break
    dump("file")
    buf = ctypes.create_string_buffer(70000)
    for size in (0, 1, 5, 100, 70000):
        say("list into", size, libc.listxattr(b"file", buf, size), errno.errorcode.get(ctypes.get_errno()))
        ctypes.set_errno(0)
        say("get into", size, libc.getxattr(b"file", b"user.1", buf, size), errno.errorcode.get(ctypes.get_errno()))
        ctypes.set_errno(0)


def users():
    paths = make_all()
    for path in paths[:2]:
        os.chmod(path, 0o755)
    open("own", "w").close()
    os.chown("own", USER, GROUP)
    os.mkdir("sticky")
    os.chmod("sticky", 0o1777)
    os.mkdir("owndir")
    os.chown("owndir", USER, GROUP)
    open("secret", "w").close()
    os.chmod("secret", 0o600)
    for path in ("own", "file", "sticky", "secret", "owndir"):
        for name in ("user.a", "trusted.a", "security.a"):
            os.setxattr(path, name, b"roots")

    def attempt():
        for path in paths + ["own", "sticky", "secret", "owndir"]:
            for name in ("user.a", "trusted.a", "security.a", ACCESS, DEFAULT):
                value = acl((U, 7), (G, 5), (O, 0)) if name in (ACCESS, DEFAULT) else b"users"
                tell("user: %s get %s" % (path, name), os.getxattr, path, name)
                tell("user: %s set %s" % (path, name), os.setxattr, path, name, value)
                tell("user: %s remove %s" % (path, name), os.removexattr, path, name)
            tell("user: %s list" % path, os.listxattr, path)

    as_user(attempt)
    for path in paths + ["own", "sticky", "secret", "owndir"]:
        dump(path)


def acls():
    paths = make_all()
    big = acl((U, 7), *[(UN, 5, 10000 + i) for i in range(100)], (G, 5), (M, 7), (O, 0))
    values = {
        "minimal": acl((U, 6), (G, 4), (O, 0)),
        "named": acl((U, 6), (UN, 7, USER), (G, 4), (GN, 1, GROUP), (M, 5), (O, 0)),
        "mask": acl((U, 6), (G, 7), (M, 4), (O, 1)),
        "big": big,
        "empty": acl(),
        "nothing": b"",
        "short": acl((U, 6), (G, 4), (O, 0))[:-1],
        "version": b"\1\0\0\0" + acl((U, 6), (G, 4), (O, 0))[4:],
        "no others": acl((U, 6), (G, 4)),
        "order": acl((G, 6), (U, 4), (O, 0)),
        "no mask": acl((U, 6), (UN, 7, USER), (G, 4), (O, 0)),
        "permissions": acl((U, 9), (G, 4), (O, 0)),
        "tag": acl((U, 6), (G, 4), (O, 0), (64, 0)),
        "no id": acl((U, 6), (UN, 7), (G, 4), (M, 7), (O, 0)),
        "too big": acl((U, 7), *[(UN, 5, 10000 + i) for i in range(500)], (G, 5), (M, 7), (O, 0)),
    }
    for path in paths:
        for name in (ACCESS, DEFAULT):
            for what, value in values.items():
                # FUSE takes no ACL longer than a page; ext4 has no room for it
                r = result(os.setxattr, path, name, value, follow_symlinks=False)
                if what == "too big" and path in ("file", "dir"):
                    r = "refused" if r in ("E2BIG", "ENOSPC") else r
                say(path, name, what, "->", r)
                dump(path)
            os.chmod("file", 0o6755)
        tell("%s chmod" % path, os.chmod, path, 0o751)
        dump(path)
        tell("%s remove" % path, os.removexattr, path, ACCESS, follow_symlinks=False)
        dump(path)
        tell("%s remove again" % path, os.removexattr, path, ACCESS, follow_symlinks=False)
        tell("%s remove default" % path, os.removexattr, path, DEFAULT, follow_symlinks=False)
    for m in (0, 0o7, 0o70, 0o700, 0o777, 0o1777, 0o4755, 0o2755):
        os.setxattr("file", ACCESS, values["named"])
        os.chmod("file", m)
        dump("file")


def inherited():
    rules = [None, acl((U, 7), (G, 5), (O, 5)), acl((U, 7), (UN, 7, USER), (G, 5), (M, 7), (O, 5)),
             acl((U, 7), (UN, 6, USER), (GN, 4, GROUP), (G, 0), (M, 4), (O, 0)) and
             acl((U, 7), (UN, 6, USER), (G, 0), (GN, 4, GROUP), (M, 4), (O, 0)),
             acl((U, 0), (G, 0), (O, 0)),
             acl((U, 7), *[(UN, 5, 10000 + i) for i in range(60)], (G, 5), (M, 7), (O, 0))]
    for number, rule in enumerate(rules):
        top = "top%d" % number
        os.mkdir(top)
        os.chmod(top, 0o2775 if number % 2 else 0o775)
        os.chown(top, 0, OTHER_GROUP)
        if rule:
            os.setxattr(top, DEFAULT, rule)
        dump(top)
        for mask in (0, 0o022, 0o077, 0o777):
            old = os.umask(mask)
            for m in (0, 0o600, 0o666, 0o777, 0o2777):
                tag = "%s/%o-%o-" % (top, mask, m)
                os.close(os.open(tag + "open", os.O_CREAT | os.O_WRONLY, m))
                os.mknod(tag + "node", m | stat.S_IFREG)
                os.mkfifo(tag + "fifo", m)
                os.mkdir(tag + "dir", m)
                os.symlink("x", tag + "link")
                fd = os.open(top, os.O_TMPFILE | os.O_RDWR, m)
                os.link("/proc/self/fd/%d" % fd, tag + "tmp", src_dir_fd=fd, follow_symlinks=True)
                os.close(fd)
                for kind in ("open", "node", "fifo", "dir", "link", "tmp"):
                    dump(tag + kind)
            os.umask(old)
        os.mkdir(top + "/sub")
        os.mkdir(top + "/sub/sub")
        dump(top + "/sub/sub")


def access():
    """Who may do what, as ACLs say."""
    with open("file", "w") as f:
        f.write("text")
    os.mkdir("dir")
    open("dir/inside", "w").close()
    people = [("user", USER, GROUP, ()), ("member", 4010, GROUP, ()), ("also", 4011, 4012, (GROUP,)),
              ("owner", 4020, 4021, ()), ("group", 4030, OTHER_GROUP, ()), ("nobody", 4040, 4041, ())]
    rules = [acl((U, 6), (UN, 4, USER), (G, 0), (M, 7), (O, 0)),
             acl((U, 4), (UN, 6, USER), (G, 0), (GN, 6, GROUP), (M, 4), (O, 0)),
             acl((U, 0), (UN, 0, USER), (G, 6), (GN, 2, GROUP), (M, 6), (O, 7)),
             acl((U, 7), (UN, 7, USER), (G, 5), (GN, 5, GROUP), (M, 1), (O, 4)),
             acl((U, 6), (G, 4), (O, 0))]

    def attempt(who):
        say(who, [os.access(p, m) for p in ("file", "dir") for m in (os.R_OK, os.W_OK, os.X_OK)],
            result(lambda: open("file").read()), result(os.listdir, "dir"), result(os.stat, "dir/inside") != "EACCES",
            result(lambda: os.close(os.open("file", os.O_WRONLY))),
            result(lambda: (open("dir/new", "w").close(), os.unlink("dir/new"))[1]))

    for path in ("file", "dir"):
        os.chown(path, 4020, OTHER_GROUP)
    for number, rule in enumerate(rules):
        for path in ("file", "dir"):
            os.setxattr(path, ACCESS, rule)
        say("rule", number)
        for who, uid, gid, groups in people:
            as_user(attempt, who, uid=uid, gid=gid, groups=groups)
    # a rule that is changed works at once
    os.setxattr("file", ACCESS, rules[0])
    as_user(attempt, "user", uid=USER)
    os.removexattr("file", ACCESS)
    as_user(attempt, "user", uid=USER)
    os.chmod("file", 0o646)
    as_user(attempt, "user", uid=USER)


def privileges():
    """Set-id bits and capabilities go with a change by somebody else."""
    capability = bytes.fromhex("0100000200040000000000000000000000000000")

    def fresh(path, m):
        if os.path.lexists(path):
            os.unlink(path)
        with open(path, "w") as f:
            f.write("program")
        os.chown(path, USER, GROUP)
        os.chmod(path, m)
        os.setxattr(path, "security.capability", capability)

    def write(path):
        fd = os.open(path, os.O_WRONLY)
        os.write(fd, b"x")
        os.close(fd)

    def mapped(path):
        import mmap
        fd = os.open(path, os.O_RDWR)
        with mmap.mmap(fd, 4) as m:
            m[0:1] = b"m"
        os.close(fd)

    def allocate(path):
        fd = os.open(path, os.O_WRONLY)
        os.posix_fallocate(fd, 0, 20000)
        os.close(fd)

    def direct(path):
        fd = os.open(path, os.O_WRONLY | os.O_DIRECT)
        import mmap
        with mmap.mmap(-1, 4096) as m:
            os.write(fd, m)
        os.close(fd)

    def rule(path):
        os.setxattr(path, ACCESS, acl((U, 7), (UN, 5, 7), (G, 5), (M, 7), (O, 5)))

    deeds = {
        "write": write, "append": lambda p: open(p, "a").write("y"), "truncate": lambda p: os.truncate(p, 3),
        "O_TRUNC": lambda p: open(p, "w").close(), "mmap": mapped, "fallocate": allocate, "O_DIRECT": direct,
        "chown": lambda p: os.chown(p, -1, GROUP), "chown to the same": lambda p: os.chown(p, USER, GROUP),
        "chmod": lambda p: os.chmod(p, 0o6755), "utime": lambda p: os.utime(p), "acl": rule,
        "setxattr": lambda p: os.setxattr(p, "user.x", b"y"), "read": lambda p: open(p).read(),
        "link": lambda p: os.link(p, p + "2"), "rename": lambda p: os.rename(p, p + "3"),
    }

    def attempt(name, path):
        say(name, "->", short(result(deeds[name], path)))

    for m in (0o6755, 0o6745, 0o4711, 0o2755, 0o2711, 0o2644, 0o755):
        say("mode %o" % m)
        for name in deeds:
            for who in ("user", "root", "outside"):
                fresh("p", m)
                if who == "root":
                    attempt(name, "p")
                elif who == "user":
                    as_user(attempt, name, "p")
                else:  # owner, but not in the group
                    as_user(attempt, name, "p", gid=OTHER_GROUP)
                path = "p3" if name == "rename" and os.path.exists("p3") else "p"
                say(who, name)
                dump(path)
                for other in ("p2", "p3"):
                    if os.path.exists(other):
                        os.unlink(other)


def shuffled(seed):
    """Random changes to a few files."""
    rnd = random.Random(seed)
    files = ["f%d" % i for i in range(5)]
    for f in files:
        open(f, "w").close()
    os.makedirs("d", exist_ok=True)
    files.append("d")
    keys = ["user.%s" % ("k" * i) for i in range(1, 12)] + ["trusted.t", "security.s", ACCESS]
    for step in range(600):
        path, key = rnd.choice(files), rnd.choice(keys)
        size = rnd.choice([0, 4, 30, 30, 200, 800, 1500, 3000])
        value = bytes([97 + rnd.randrange(2)]) * size
        if key == ACCESS:
            value = acl((U, rnd.randrange(8)), *[(UN, 5, i) for i in range(rnd.randrange(30))], (G, 5), (M, 7), (O, 0))
        flags = rnd.choice([0, 0, 0, 1, 2])
        deed = rnd.randrange(5)
        if deed == 0:
            tell("%d remove %s %s" % (step, path, key), os.removexattr, path, key)
        elif deed == 1:
            tell("%d chmod %s" % (step, path), os.chmod, path, rnd.randrange(0o1000))
        elif deed == 2 and path != "d":
            other = rnd.choice(files[:5])
            say(step, "copy", path, other)
            for n in sorted(os.listxattr(path)):
                tell("  " + n, os.setxattr, other, n, os.getxattr(path, n))
        elif deed == 3 and rnd.randrange(4) == 0 and path != "d":
            os.unlink(path)
            open(path, "w").close()
        else:
            tell("%d set %s %s %d" % (step, path, key, len(value)), os.setxattr, path, key, value, flags)
        dump(path)
    for path in files:
        dump(path)


def tree():
    """Whole trees by programs that copy attributes."""
    os.makedirs("a/sub")
    for i in range(20):
        path = "a/sub/f%d" % i
        with open(path, "w") as f:
            f.write(str(i) * 100)
        os.setxattr(path, "user.number", str(i).encode() * (1 + i * i))
        os.setxattr(path, "trusted.t", b"t" * (i % 3 * 300))
        if i % 2:
            os.setxattr(path, ACCESS, acl((U, 6), (UN, 4, USER + i), (G, 4), (M, 6), (O, 0)))
        if i % 5 == 0:
            os.setxattr(path, "security.capability", bytes.fromhex("0100000200040000000000000000000000000000"))
    os.setxattr("a/sub", DEFAULT, acl((U, 7), (UN, 5, USER), (G, 5), (M, 5), (O, 0)))
    commands = ["cp -a a b", "tar --xattrs --xattrs-include='*' --acls -cf t.tar a && mkdir c && "
                "tar --xattrs --xattrs-include='*' --acls -xpf t.tar -C c"]
    if subprocess.run("command -v rsync", shell=True, stdout=subprocess.DEVNULL).returncode == 0:
        commands.append("rsync -aAX a/ r/")
    for command in commands:
        say(command.split()[0], subprocess.run(command, shell=True).returncode)
    for top in ("a", "b", "c/a", "r"):
        if not os.path.isdir(top):
            continue
        say(top)
        for folder, _, files in sorted(os.walk(top)):
            for f in [""] + sorted(files):
                dump(os.path.join(folder, f).rstrip("/"))
        sys.stdout.flush()
        subprocess.run("find %s -print0 | LC_ALL=C sort -z | xargs -0 getfacl -n -p" % top, shell=True)
        subprocess.run("getfattr -R -d -m - --absolute-names %s | LC_ALL=C sort" % top, shell=True)


os.umask(0o22)
os.makedirs(sys.argv[2], exist_ok=True)
os.chdir(sys.argv[2])
globals()[sys.argv[1]](*[int(a) for a in sys.argv[3:]])
