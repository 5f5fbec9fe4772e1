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
one "preallocated, size kept" --rw=randwrite --bs=16k --fallocate=keep
one "fdatasync after every 8, sync_file_range" --rw=randwrite --bs=8k --size=4m --fdatasync=8 --sync_file_range=write:4
one "O_SYNC" --rw=randwrite --bs=4k --size=2m --sync=1
one "POSIX AIO" --rw=randwrite --bsrange=512-32k --bs_unaligned --ioengine=posixaio --iodepth=8
one "io_uring, deep queue" --rw=randwrite --bs=16k --ioengine=io_uring --iodepth=32
one "io_uring, direct, its own buffers and files" --rw=randrw --bs=8k --ioengine=io_uring --registerfiles=1 \
	--fixedbufs=1 --iodepth=16 --verify_backlog=32 --direct=1
one "vectors" --rw=randrw --bsrange=1k-64k --ioengine=pvsync2 --verify_backlog=64
one "overwriting what is there" --rw=randwrite --bs=4k --overwrite=1
one "backwards, with gaps" --rw=write:-12k --bs=4k --size=8m

# Several jobs of different kinds in one file, each with a region of its own, which begins in the
# middle of a page.
together=(--filename="$T/mnt/job-shared" --size=6m --rw=randwrite --verify_backlog=32)
one "one file, four threads" "${together[@]}" --bs=4k --numjobs=4 --thread --offset_increment=6m
one "one file, four threads, not aligned" "${together[@]}" --bsrange=512-9000 --bs_unaligned --numjobs=4 --thread \
	--offset=700 --offset_increment=6293k
truncate -s 24m "$T/mnt/job-shared" # or each job would lay it out in its own way
one "one file: buffered, mapped, direct" "${together[@]}" --bs=4k \
	--name=mapped --filename="$T/mnt/job-shared" --offset=8m --size=6m --rw=randwrite --bs=4k --ioengine=mmap \
	--verify=crc32c --verify_fatal=1 --fallocate=none \
	--name=direct --filename="$T/mnt/job-shared" --offset=16m --size=6m --rw=randwrite --bs=16k --direct=1 \
	--ioengine=libaio --iodepth=16 --verify=crc32c --verify_fatal=1 --fallocate=none
# Blocks come, go as holes, and come again; there is nothing to verify but the drive afterwards.
check "allocated and punched at random" fio --name=job --directory="$T/mnt" --size=16m --ioengine=falloc \
	--rw=randtrimwrite --bs=12k --loops=2 --output="$T/fio.log" || diag <"$T/fio.log"
rm -f "$T/mnt"/job*

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
