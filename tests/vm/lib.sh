# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# For tests in a virtual machine: another kernel (Debian's 6.1), with device-mapper, whose power can
# be cut. SEALDRIVE_VM names the folder of a kit whose vmrun.sh boots it.
#
#	. "$(dirname "$0")/lib.sh"
#	need_vm
#	guest --disk "$T/a.img" <<<'guest commands'
#
# The guest sees this machine's files, read-only, so that programs and tests are those of the host.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

need_vm() {
	[ -n "${SEALDRIVE_VM:-}" ] ||
		skip_all "SEALDRIVE_VM does not name a kit that boots a virtual machine (docs/testing.md)"
	[ -x "$SEALDRIVE_VM/vmrun.sh" ] || skip_all "there is no vmrun.sh in $SEALDRIVE_VM"
	is_root || skip_all "needs root: the guest sees the host's files as root"
	need_command qemu-system-x86_64
}

# What the guest does before the script: the host's files, what must be writable, and bash there.
guest_boot() {
	cat <<-'E'
		umount /share
		mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=512000,cache=loose share /share || exit 97
		for d in dev proc sys; do mount --rbind /$d /share/$d || exit 97; done
		mount -t tmpfs -o mode=1777,size=80% tmpfs /share/mnt || exit 97
		mount -t tmpfs -o mode=755 tmpfs /share/run || exit 97
		mkdir -p /share/run/lock /share/run/cryptsetup /share/mnt/out
		mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 out /share/mnt/out || exit 97
	E
	printf "exec chroot /share env -i PATH='%s' HOME=/mnt TMPDIR=/mnt TERM=dumb DM_DISABLE_UDEV=1 \
top_srcdir='%s' top_builddir='%s' OUT=/mnt/out SEALDRIVE_SEED='%s' bash -u /mnt/out/script\n" \
		"$top_builddir:/usr/sbin:/usr/bin:/sbin:/bin" "$top_srcdir" "$top_builddir" "${SEALDRIVE_SEED:-}"
}

# Boots, runs standard input as a script of bash, and returns its exit status (99: @@POWERCUT@@ was said).
# $OUT is $T/guest of the host, at once and for both. Sourcing guest.sh there gives what follows.
guest() { # [OPTIONS OF vmrun.sh...]
	mkdir -p "$T/guest"
	cat >"$T/guest/script"
	guest_boot >"$T/guest.boot"
	VM_MEM=2048 VM_QEMU_ARGS="-virtfs local,path=$T/guest,mount_tag=out,security_model=none" \
		"$SEALDRIVE_VM/vmrun.sh" --share / "$@" "$T/guest.boot"
}
