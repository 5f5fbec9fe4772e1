#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# fio writes patterns and verifies them: buffered, direct, by memory map, asynchronously.
. "$(dirname "$0")/lib.sh"
need_fuse
need_command fio cryptsetup e2fsck dumpe2fs

one() { # DESCRIPTION FIO-OPTIONS...
	local what=$1
	shift
	check "$what" fio --name=job --directory="$T/mnt" --size=24m --verify=crc32c \
		--verify_fatal=1 --randrepeat=0 --fallocate=none --end_fsync=1 --output="$T/fio.log" "$@" ||
		diag <"$T/fio.log"
	rm -f "$T/mnt"/job*
}

must "format" new_drive "$T/a.img" 256M
must "mount" drive_mount "$T/a.img" "$T/mnt"
one "buffered, random, 4 KiB" --rw=randwrite --bs=4k
one "buffered, two threads, odd sizes" --rw=randwrite --bsrange=512-70000 --bs_unaligned --numjobs=2 --thread
one "buffered, 1 MiB, in order" --rw=write --bs=1m
one "direct, random, 4 KiB to 256 KiB" --rw=randwrite --bsrange=4k-256k --direct=1
one "direct, asynchronous, deep queue" --rw=randwrite --bs=16k --direct=1 --ioengine=libaio --iodepth=32 --verify_backlog=64
one "memory map" --rw=randwrite --bs=4k --ioengine=mmap
one "mixed reads and writes" --rw=randrw --bs=8k --numjobs=2 --verify_backlog=128
one "fsync after every 16" --rw=randwrite --bs=4k --size=4m --fsync=16
one "preallocated" --rw=randwrite --bs=64k --fallocate=posix

# Written, unmounted, verified after remount.
check "written for later" fio --name=later --directory="$T/mnt" --size=48m --rw=randwrite \
	--bsrange=4k-128k --verify=crc32c --do_verify=0 --output="$T/fio.log" --randseed=7
check "unmount" drive_unmount "$T/mnt"
check "perfect" judge "$T/a.img"
must "mount" drive_mount "$T/a.img" "$T/mnt"
check "verified after remount" fio --name=later --directory="$T/mnt" --size=48m --rw=randwrite \
	--bsrange=4k-128k --verify=crc32c --verify_only --output="$T/fio.log" --randseed=7
check "unmount at the end" drive_unmount "$T/mnt"
done_testing
