/* SPDX-License-Identifier: MIT */
/*
 * table.c - the calls: the kernel's own table, read at build time, and what it cannot say.
 *
 * kernel/linux/calls.h gives number, name and the type and name of every argument; from those
 * argument_kind() guesses a kind. `refinements` say better where the guess is too poor, one line a call:
 * "call argument=kind ... > sort of result".
 */
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "fuzz.h"
#include "network_calls.h"

#define CALL0(number, call) { .nr = number, .name = #call, .args = 0 },
#define CALL1(number, call, t1, a1) { .nr = number, .name = #call, .args = 1, .type = { #t1 }, .arg = { #a1 } },
#define CALL2(number, call, t1, a1, t2, a2)                                                        \
	{ .nr = number, .name = #call, .args = 2, .type = { #t1, #t2 }, .arg = { #a1, #a2 } },
#define CALL3(number, call, t1, a1, t2, a2, t3, a3)                                                \
	{ .nr = number, .name = #call, .args = 3, .type = { #t1, #t2, #t3 }, .arg = { #a1, #a2, #a3 } },
#define CALL4(number, call, t1, a1, t2, a2, t3, a3, t4, a4)                                        \
	{ .nr = number, .name = #call, .args = 4, .type = { #t1, #t2, #t3, #t4 },                  \
	  .arg = { #a1, #a2, #a3, #a4 } },
#define CALL5(number, call, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5)                                \
	{ .nr = number, .name = #call, .args = 5, .type = { #t1, #t2, #t3, #t4, #t5 },             \
	  .arg = { #a1, #a2, #a3, #a4, #a5 } },
#define CALL6(number, call, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5, t6, a6)                        \
	{ .nr = number, .name = #call, .args = 6, .type = { #t1, #t2, #t3, #t4, #t5, #t6 },        \
	  .arg = { #a1, #a2, #a3, #a4, #a5, #a6 } },

struct desc descs[] = {
#include "../../../kernel/linux/calls.h"
	CALL2(PSEUDO_FILL, fill, page, at, bytes, what)
	CALL1(PSEUDO_TOUCH, touch, page, at)
	NETWORK_CALLS
	/* One number, several contracts. */
	CALL4(SYS_ptrace, ptrace_out, long, request, pid_t, pid, unsigned long, addr, unsigned long, data)
	CALL4(SYS_ptrace, ptrace_in, long, request, pid_t, pid, unsigned long, addr, unsigned long, data)
	CALL4(SYS_ptrace, ptrace_set, long, request, pid_t, pid, unsigned long, addr, unsigned long, data)
	CALL5(SYS_prctl, prctl_seccomp, int, option, unsigned long, a2, unsigned long, a3, unsigned long, a4, unsigned long, a5)
	CALL3(SYS_ioctl, ioctl_notice, int, fd, unsigned int, command, unsigned long, arg)
	CALL3(SYS_seccomp, seccomp_listener, unsigned int, operation, unsigned int, flags, void *, arg)
	CALL3(SYS_open, open_uinput, void *, name, int, flags, mode_t, mode)
	CALL3(SYS_open, open_event, void *, name, int, flags, mode_t, mode)
	CALL3(SYS_open, open_mice, void *, name, int, flags, mode_t, mode)
	CALL3(SYS_ioctl, uinput_number, int, fd, unsigned int, command, unsigned long, arg)
	CALL3(SYS_ioctl, uinput_command, int, fd, unsigned int, command, void *, arg)
	CALL3(SYS_ioctl, uinput_axis, int, fd, unsigned int, command, void *, arg)
	CALL3(SYS_ioctl, evdev_ask, int, fd, unsigned int, command, void *, arg)
	CALL3(SYS_ioctl, evdev_set, int, fd, unsigned int, command, void *, arg)
	CALL3(SYS_ioctl, evdev_number, int, fd, unsigned int, command, unsigned long, arg)
	CALL3(SYS_ioctl, evdev_mask, int, fd, unsigned int, command, void *, arg)
	CALL3(SYS_write, write_events, int, fd, void *, events, size_t, n)
	CALL3(SYS_open, open_loop, void *, name, int, flags, mode_t, mode)
	CALL3(SYS_open, open_loop_control, void *, name, int, flags, mode_t, mode)
	CALL3(SYS_open, open_disk, void *, name, int, flags, mode_t, mode)
	CALL3(SYS_open, open_vduse, void *, name, int, flags, mode_t, mode)
	CALL3(SYS_open, open_vduse_control, void *, name, int, flags, mode_t, mode)
	CALL3(SYS_open, open_fuse, void *, name, int, flags, mode_t, mode)
	CALL3(SYS_open, open_cuse, void *, name, int, flags, mode_t, mode)
	CALL3(SYS_open, open_vfio, void *, name, int, flags, mode_t, mode)
	CALL3(SYS_ioctl, block_ask, int, fd, unsigned int, command, void *, arg)
	CALL3(SYS_ioctl, block_range, int, fd, unsigned int, command, void *, arg)
	CALL3(SYS_ioctl, block_set, int, fd, unsigned int, command, void *, arg)
	CALL3(SYS_ioctl, block_number, int, fd, unsigned int, command, unsigned long, arg)
	CALL3(SYS_ioctl, block_part, int, fd, unsigned int, command, void *, arg)
	CALL3(SYS_ioctl, loop_file, int, fd, unsigned int, command, int, arg)
	CALL3(SYS_ioctl, loop_configure, int, fd, unsigned int, command, void *, arg)
	CALL3(SYS_ioctl, loop_status, int, fd, unsigned int, command, void *, arg)
	CALL3(SYS_ioctl, vduse_create, int, fd, unsigned int, command, void *, arg)
	CALL3(SYS_ioctl, vduse_destroy, int, fd, unsigned int, command, void *, arg)
	CALL3(SYS_ioctl, vduse_ask, int, fd, unsigned int, command, void *, arg)
	CALL3(SYS_ioctl, vduse_set, int, fd, unsigned int, command, void *, arg)
	CALL3(SYS_ioctl, vduse_kick, int, fd, unsigned int, command, void *, arg)
	CALL3(SYS_ioctl, vduse_direct, int, fd, unsigned int, command, void *, arg)
	CALL3(SYS_ioctl, vduse_memory, int, fd, unsigned int, command, void *, arg)
	CALL2(SYS_ioctl, vduse_changed, int, fd, unsigned int, command)
	CALL3(SYS_write, vduse_answer, int, fd, void *, answer, size_t, n)
	CALL5(SYS_mount, mount_fuse, const char *, source, const char *, target, void *, type, unsigned long, flags, void *, options)
	CALL5(SYS_mount, mount_fuse_all, const char *, source, const char *, target, void *, type, unsigned long, flags, void *, options)
	CALL3(SYS_ioctl, fuse_clone, int, fd, unsigned int, command, void *, arg)
	CALL3(SYS_write, fuse_init, int, fd, void *, answer, size_t, n)
	CALL3(SYS_write, fuse_answer, int, fd, void *, answer, size_t, n)
	CALL3(SYS_ioctl, vfio_number, int, fd, unsigned int, command, unsigned long, arg)
	CALL3(SYS_ioctl, vfio_struct, int, fd, unsigned int, command, void *, arg)
	CALL2(PSEUDO_FRAME, sigframe, edits, edits, count, many)
	/* Entries by what their address is: a buffer, a path, a message, a time. */
	CALL4(PSEUDO_URING, uring_rw, int, fd, void *, sqes, unsigned int, count, unsigned int, flags)
	CALL4(PSEUDO_URING, uring_path, int, fd, void *, sqes, unsigned int, count, unsigned int, flags)
	CALL4(PSEUDO_URING, uring_message, int, fd, void *, sqes, unsigned int, count, unsigned int, flags)
	CALL4(PSEUDO_URING, uring_time, int, fd, void *, sqes, unsigned int, count, unsigned int, flags)
};
unsigned int desc_count = sizeof(descs) / sizeof(descs[0]);

static const char *const refinements[] = {
	"open flags=open_flags > file|dir|tty",
	"openat flags=open_flags > file|dir|tty",
	"openat2 how=open_how size=c:24 > file|dir|tty",
	"creat > file",
	"fill at=page what=bytes",
	"touch at=page",
	"sigframe edits=frame_edits many=counts",
	"lseek offset=length whence=whence",
	"mmap addr=page length=advice_sizes prot=prot flags=map_flags fd=fd offset=advice_sizes",
	"munmap addr=page length=advice_sizes",
	"mprotect addr=page length=advice_sizes prot=prot",
	"pkey_mprotect addr=page length=advice_sizes prot=prot pkey=pkey",
	"pkey_alloc flags=c:0 rights=rights > pkey",
	"pkey_free pkey=pkey",
	"brk brk=brk > brk",
	"mremap addr=page old_length=advice_sizes new_length=advice_sizes flags=remap_flags new_addr=page",
	"msync addr=page length=advice_sizes flags=sync_flags",
	"mincore addr=page length=advice_sizes out=out256",
	"remap_file_pages start=page length=advice_sizes prot=c:0 page=counts flags=map_flags",
	"madvise addr=page length=advice_sizes advice=advices",
	"mbind start=page length=advice_sizes mode=memory_policies mask=sigset bits=node_bits flags=policy_flags",
	"set_mempolicy mode=memory_policies mask=sigset bits=node_bits",
	"get_mempolicy out=out8 mask=out256 bits=node_bits addr=page flags=policy_flags",
	"set_mempolicy_home_node start=page length=advice_sizes node=rights flags=rights",
	"migrate_pages pid=pid bits=node_bits from=sigset to=sigset",
	"move_pages pid=pid count=counts pages=out256 nodes=out256 status=out256 flags=policy_flags",
	"process_madvise vec=iovec segments=counts advice=advices flags=c:0",
	"process_mrelease flags=c:0",
	"swapon name=path flags=rights",
	"swapoff name=path",
	"quotactl special=path",
	"mlock addr=page length=advice_sizes",
	"mlock2 addr=page length=advice_sizes flags=rights",
	"munlock addr=page length=advice_sizes",
	"mlockall flags=mlock_flags",
	"rt_sigaction signo=signal act=sigaction oldact=out256 size=sizes8",
	"rt_sigprocmask how=mask_how set=sigset oldset=out8 size=sizes8",
	"rt_sigpending set=out8 size=sizes8",
	"rt_sigtimedwait set=sigset out=out256 timeout=timespec size=sizes8",
	"rt_sigqueueinfo info=siginfo",
	"rt_tgsigqueueinfo info=siginfo",
	"rt_sigsuspend set=sigset size=sizes8",
	"sigaltstack ss=sigstack oss=out256",
	"ioctl command=ioctls arg=termios",
	"open_uinput name=uinput_path flags=c:0x802 mode=c:0 > uinput",
	"open_event name=event_path flags=c:0x802 mode=c:0 > evdev",
	"open_mice name=mice_path flags=c:0x802 mode=c:0 > evdev",
	"uinput_number fd=uinput command=uinput_bits arg=input_codes",
	"uinput_command fd=uinput command=uinput_ioctls arg=uinput_setup",
	"uinput_axis fd=uinput command=c:0x401c5504 arg=uinput_axis",
	"evdev_ask fd=evdev command=evdev_ioctls arg=out256",
	"evdev_set fd=evdev command=evdev_sets arg=input_effect",
	"evdev_number fd=evdev command=evdev_numbers arg=rights",
	"evdev_mask fd=evdev command=evdev_masks arg=input_mask",
	"write_events fd=uinput events=input_events n=c:96",
	"open_loop name=loop_path flags=c:0x802 mode=c:0 > block",
	"open_loop_control name=loop_control_path flags=c:0x802 mode=c:0 > block",
	"open_disk name=disk_path flags=open_flags mode=c:0 > block",
	"open_vduse name=vduse_path flags=c:0x802 mode=c:0 > vduse",
	"open_vduse_control name=vduse_control_path flags=c:0x802 mode=c:0 > vduse",
	"open_fuse name=fuse_path flags=c:0x802 mode=c:0 > fuse",
	"open_cuse name=cuse_path flags=c:0x802 mode=c:0 > fuse",
	"open_vfio name=vfio_path flags=c:0x802 mode=c:0 > vfio",
	"block_ask fd=block command=block_asks arg=out256",
	"block_range fd=block command=block_ranges arg=block_range",
	"block_set fd=block command=block_sets arg=block_set",
	"block_number fd=block command=block_numbers arg=block_values",
	"block_part fd=block command=c:0x1269 arg=part_change",
	"loop_file fd=block command=loop_files arg=below",
	"loop_configure fd=block command=c:0x4c0a arg=loop_config",
	"loop_status fd=block command=loop_configures arg=loop_status",
	"vduse_create fd=vduse command=c:0x41508102 arg=vduse_config",
	"vduse_destroy fd=vduse command=c:0x41008103 arg=vduse_name",
	"vduse_ask fd=vduse command=vduse_asks arg=vduse_range",
	"vduse_set fd=vduse command=vduse_sets arg=vduse_args",
	"vduse_kick fd=vduse command=c:0x40088116 arg=vduse_kick",
	"vduse_direct fd=vduse command=c:0x40088140 arg=vduse_kick",
	"vduse_memory fd=vduse command=c:0xc0208110 arg=vduse_range > file",
	"vduse_changed fd=vduse command=c:0x8113",
	"vduse_answer fd=vduse answer=vduse_answer n=c:152",
	"mount_fuse source=path target=path type=fuse_type flags=mount_flags options=fuse_options",
	"mount_fuse_all source=path target=path type=fuse_type flags=mount_flags options=fuse_options_all",
	"fuse_clone fd=fuse command=c:0x8004e500 arg=fuse_fd",
	"fuse_init fd=fuse answer=fuse_init n=c:0x50",
	"fuse_answer fd=fuse answer=fuse_entry n=fuse_sizes",
	"vfio_number fd=vfio command=vfio_numbers arg=rights",
	"vfio_struct fd=vfio command=vfio_structs arg=vfio_struct",
	"pipe fds=out8 > pipe:fds",
	"pipe2 fds=out8 flags=fd_flags > pipe:fds",
	"readv vec=iovec segments=counts",
	"writev vec=iovec_data segments=counts",
	"preadv vec=iovec segments=counts pos_low=length pos_high=c:0",
	"pwritev vec=iovec_data segments=counts pos_low=length pos_high=c:0",
	"preadv2 vec=iovec segments=counts pos_low=length pos_high=c:0 flags=rw_flags",
	"pwritev2 vec=iovec_data segments=counts pos_low=length pos_high=c:0 flags=rw_flags",
	"vmsplice fd=pipe vec=iovec segments=counts flags=splice_flags",
	"process_vm_readv pid=pid lvec=iovec lcount=counts rvec=iovec rcount=counts flags=c:0",
	"process_vm_writev pid=pid lvec=iovec lcount=counts rvec=iovec rcount=counts flags=c:0",
	"pread64 buf=out pos=length",
	"pwrite64 buf=bytes pos=length",
	"read buf=out",
	"write buf=bytes",
	"select count=counts in=fd_set out=fd_set except=fd_set timeout=timespec",
	"pselect6 count=counts in=fd_set out=fd_set except=fd_set timeout=timespec mask=mask_arg",
	"poll fds=pollfd count=counts timeout_ms=timeouts",
	"ppoll fds=pollfd count=counts timeout=timespec mask=sigset mask_size=sizes8",
	"dup > file|socket|pipe",
	"dup2 newfd=ranges > file|socket|pipe",
	"dup3 newfd=ranges flags=fd_flags > file|socket|pipe",
	"nanosleep request=timespec left=out16",
	"clock_nanosleep clock=clocks flags=timer_flags request=timespec left=out16",
	"clock_gettime clock=clocks out=out16",
	"clock_getres clock=clocks out=out16",
	"clock_settime clock=clocks in=timespec",
	"clock_adjtime clock=clocks inout=timex",
	"adjtimex inout=timex",
	"settimeofday in=timespec zone=int_value",
	"getitimer which=itimers",
	"setitimer which=itimers in=itimerval",
	"timer_create clock=clocks event=sigevent out=out8 > timer:out",
	"timer_settime id=timer flags=timer_flags in=itimerspec",
	"timer_gettime id=timer",
	"timer_getoverrun id=timer",
	"timer_delete id=timer",
	"timerfd_create clock=clocks flags=fd_flags > timerfd",
	"timerfd_settime fd=timerfd flags=timer_flags value=itimerspec old=out256",
	"timerfd_gettime fd=timerfd",
	"sendfile offset=offset count=length",
	"splice in_offset=offset out_offset=offset count=length flags=splice_flags",
	"tee in=pipe out=pipe count=length flags=splice_flags",
	"copy_file_range in_offset=offset out_offset=offset count=length flags=c:0",
	"socket family=domains type=socket_types protocol=c:0 > socket",
	"socketpair family=domains type=socket_types protocol=c:0 fds=out8 > socket:fds",
	"connect fd=socket address=sockaddr length=c:14",
	"bind fd=socket address=sockaddr length=c:14",
	"accept fd=socket address=out256 length=socklen > socket",
	"accept4 fd=socket address=out256 length=socklen flags=socket_flags > socket",
	"listen fd=socket backlog=counts",
	"sendto fd=socket buf=bytes count=length flags=message_flags address=sockaddr length=c:14",
	"recvfrom fd=socket buf=out count=length flags=message_flags address=out256 length=socklen",
	"sendmsg fd=socket message=msghdr flags=message_flags",
	"recvmsg fd=socket message=msghdr_in flags=message_flags",
	"sendmmsg fd=socket messages=mmsghdr count=counts flags=message_flags",
	"recvmmsg fd=socket messages=mmsghdr_in count=counts flags=message_flags timeout=timespec",
	"shutdown fd=socket how=shuts",
	"getsockname fd=socket address=out256 length=socklen",
	"getpeername fd=socket address=out256 length=socklen",
	"setsockopt fd=socket level=socket_levels option=socket_options value=int_value length=c:4",
	"getsockopt fd=socket level=socket_levels option=socket_options value=out256 length=socklen",
	"clone flags=clone_flags stack=page parent_tid=page child_tid=page tls=page > pid",
	"clone3 args=clone_args size=c:88 > pid",
	"fork > pid",
	"vfork > pid",
	"execve argv=argv envp=argv",
	"execveat argv=argv envp=argv flags=at_flags",
	"wait4 options=wait_options rusage=out256",
	"waitid which=wait_whats id=pid out=out256 options=wait_options rusage=out256",
	"fcntl command=fcntls arg=fcntl_args",
	"flock command=flocks",
	"truncate size=length",
	"ftruncate size=length",
	"getdents64 fd=dir",
	"getdents fd=dir",
	"mknod mode=node_modes device=devices",
	"mknodat mode=node_modes device=devices",
	"access mode=rights",
	"faccessat mode=rights",
	"faccessat2 mode=rights",
	"rename",
	"renameat2 flags=rename_flags",
	"getrlimit which=rlimits",
	"setrlimit which=rlimits in=rlimit",
	"prlimit64 which=rlimits new_limit=rlimit old_limit=out256",
	"getrusage who=usages",
	"syslog type=syslogs",
	"sched_setparam param=sched_param",
	"sched_setscheduler policy=policies param=sched_param",
	"sched_setattr attr=sched_attr flags=c:0",
	"sched_getattr attr=out256 size=c:56 flags=c:0",
	"sched_get_priority_max policy=policies",
	"sched_get_priority_min policy=policies",
	"sched_setaffinity size=sizes8 mask=cpu_set",
	"sched_getaffinity size=sizes8 mask=out256",
	"getpriority which=prio_whats who=pid",
	"setpriority which=prio_whats who=pid nice=nices",
	"ioprio_get which=counts who=pid",
	"ioprio_set which=counts who=pid value=ioprio_values",
	"prctl option=prctls a2=counts a3=rights a4=c:0 a5=c:0",
	"seccomp operation=seccomp_ops flags=seccomp_flags arg=bpf_program",
	"seccomp_listener operation=c:1 flags=listener_flags arg=bpf_program > listener",
	"prctl_seccomp option=c:22 a2=c:2 a3=bpf_program a4=c:0 a5=c:0",
	"ioctl_notice fd=listener command=notice_ioctls arg=notice",
	"ptrace request=ptrace_requests addr=ptrace_addresses data=ptrace_numbers",
	"ptrace_out request=ptrace_outs addr=ptrace_addresses data=out256",
	"ptrace_in request=ptrace_sets addr=ptrace_addresses data=iovec_data",
	"ptrace_set request=ptrace_writes addr=ptrace_addresses data=registers",
	"arch_prctl option=arch_prctls address=page",
	"personality persona=personas",
	"capget uheader=cap_header udata=out256",
	"capset uheader=cap_header udata=cap_data",
	"setgroups size=counts list=groups",
	"futex addr=page op=futex_ops value=futex_words utime=timespec addr2=page value3=futex_words",
	"futex_waitv waiters=waitv n=counts flags=c:0 timeout=timespec clock=clocks",
	"set_robust_list head=robust size=c:24",
	"get_robust_list head=out8 size=out8",
	"set_tid_address address=page",
	"rseq area=page size=c:32 flags=rseq_flags signature=c:0x53053053",
	"epoll_create size=counts > epoll",
	"epoll_create1 flags=fd_flags > epoll",
	"epoll_ctl epfd=epoll op=epoll_ops event=epoll_event",
	"epoll_wait epfd=epoll events=out256 max=counts timeout_ms=timeouts",
	"epoll_pwait epfd=epoll events=out256 max=counts timeout_ms=timeouts mask=sigset mask_size=sizes8",
	"epoll_pwait2 epfd=epoll events=out256 max=counts timeout=timespec mask=sigset mask_size=sizes8",
	"eventfd initial=counts > eventfd",
	"eventfd2 initial=counts flags=fd_flags > eventfd",
	"signalfd mask=sigset mask_size=sizes8 > signalfd",
	"signalfd4 mask=sigset mask_size=sizes8 flags=fd_flags > signalfd",
	"add_key type=key_type description=key_name payload=bytes size=length ring=key_rings > key",
	"request_key type=key_type description=key_name callout=key_name ring=key_rings > key",
	"keyctl operation=key_operations a1=key a2=key a3=key_name a4=key_rings",
	"ustat out=out256",
	"sysfs option=counts a1=path a2=out256",
	"name_to_handle_at out=out256 mount_id=out8 flags=at_flags",
	"open_by_handle_at handle=bytes flags=open_flags > file|dir",
	"acct name=path",
	"inotify_init > inotify",
	"inotify_init1 flags=fd_flags > inotify",
	"inotify_add_watch fd=inotify mask=inotify_masks > watch",
	"inotify_rm_watch fd=inotify number=watch",
	"fanotify_init flags=fanotify_flags open_flags=open_flags > fanotify",
	"fanotify_mark fd=fanotify flags=fanotify_marks mask=fanotify_masks dirfd=dirfds",
	"memfd_create flags=memfd_flags > memfd",
	"pidfd_open > pidfd",
	"pidfd_getfd pidfd=pidfd > file|socket|pipe",
	"pidfd_send_signal pidfd=pidfd info=siginfo flags=c:0",
	"fallocate mode=fallocate_modes offset=length length=length",
	"fadvise64 offset=length length=length advice=fadvices",
	"readahead offset=length count=length",
	"sync_file_range offset=length length=length flags=rights",
	"setxattr name=path size=length flags=xattr_flags",
	"lsetxattr name=path size=length flags=xattr_flags",
	"fsetxattr name=path size=length flags=xattr_flags",
	"statx flags=at_flags mask=statx_masks",
	"newfstatat flags=at_flags",
	"fchownat flags=at_flags",
	"linkat flags=at_flags",
	"unlinkat flags=at_flags",
	"utimensat times=timespec2 flags=at_flags",
	"futimesat times=timespec2",
	"utimes times=timespec2",
	"utime times=timespec2",
	"mount source=path type=bytes flags=mount_flags data=bytes",
	"umount2 flags=umount_flags",
	"open_tree flags=tree_flags > dir",
	"move_mount flags=move_flags",
	"fsopen type=bytes flags=c:0 > file",
	"fspick flags=pick_flags > file",
	"fsconfig command=config_commands key=bytes value=bytes aux=c:0",
	"fsmount flags=c:0 attr=mount_attrs > dir",
	"mount_setattr flags=tree_flags attr=mount_attr size=c:32",
	"unshare flags=clone_flags",
	"setns flags=clone_flags",
	"membarrier command=membarriers",
	"kcmp type=kcmps i=fd j=fd",
	"close_range first=ranges last=ranges flags=range_flags",
	"getrandom flags=getrandom_flags",
	"shmget key=ipc_keys size=shm_sizes flags=ipc_flags > shm",
	"shmat id=shm addr=page flags=shm_flags",
	"shmdt addr=page",
	"shmctl id=shm command=shm_commands buf=ipc_status",
	"semget key=ipc_keys count=counts flags=ipc_flags > sem",
	"semop id=sem ops=sembuf count=counts",
	"semtimedop id=sem ops=sembuf count=counts timeout=timespec",
	"semctl id=sem index=counts command=sem_commands arg=ipc_status",
	"msgget key=ipc_keys flags=ipc_flags > msg",
	"msgsnd id=msg message=message size=counts flags=msg_flags",
	"msgrcv id=msg message=out256 size=counts type=msg_types flags=msg_flags",
	"msgctl id=msg command=msg_commands buf=ipc_status",
	"mq_open name=path flags=open_flags attr=queue_attr > mqueue",
	"mq_timedsend fd=mqueue text=bytes size=queue_sizes priority=counts timeout=timespec",
	"mq_timedreceive fd=mqueue text=out256 size=queue_sizes priority=out8 timeout=timespec",
	"mq_notify fd=mqueue event=sigevent",
	"mq_getsetattr fd=mqueue new_attr=queue_attr old_attr=out256",
	"io_setup count=counts out=aio_id > aio:out",
	"io_destroy id=aio",
	"io_submit id=aio count=counts list=iocbs",
	"io_getevents id=aio least=rights most=counts out=out256 timeout=timespec",
	"io_pgetevents id=aio least=rights most=counts out=out256 timeout=timespec mask=mask_arg",
	"io_cancel id=aio iocb=iocb result=out256",
	"io_uring_setup entries=counts params=uring_params > uring",
	"io_uring_enter fd=uring to_submit=counts min_complete=rights flags=enter_flags arg=c:0 size=c:0",
	"uring_rw fd=uring sqes=sqe_rw count=counts flags=enter_flags",
	"uring_path fd=uring sqes=sqe_path count=counts flags=enter_flags",
	"uring_message fd=uring sqes=sqe_message count=counts flags=enter_flags",
	"uring_time fd=uring sqes=sqe_time count=counts flags=enter_flags",
	"io_uring_register fd=uring command=uring_commands arg=iovec count=counts",
	"reboot magic1=c:0 magic2=c:0",
	NETWORK_REFINEMENTS
	"getpid", "gettid",
};

const char *const producers[][2] = {
	{ "file", "open(\"a\", O_RDWR|O_CREAT, 0777)" },
	{ "file", "open(\"d/a\", O_RDWR|O_CREAT, 0777)" },
	{ "file", "open(\"/dev/zero\", O_RDWR, 0)" },
	{ "file", "open(\"/proc/self/maps\", O_RDONLY, 0)" },
	{ "file", "open(\"f\", O_RDWR|O_NONBLOCK, 0)" },
	{ "dir", "open(\"d\", O_RDONLY|O_DIRECTORY, 0)" },
	{ "dir", "open(\".\", O_RDONLY|O_DIRECTORY, 0)" },
	{ "pipe", "pipe2(&out(8), O_NONBLOCK)" },
	{ "pipe", "pipe(&out(8))" },
	{ "socket", "socketpair(AF_UNIX, SOCK_STREAM, 0, &out(8))" },
	{ "socket", "socketpair(AF_UNIX, SOCK_DGRAM, 0, &out(8))" },
	{ "socket", "socketpair(AF_UNIX, SOCK_SEQPACKET, 0, &out(8))" },
	{ "socket", "socket(AF_UNIX, SOCK_STREAM, 0)" },
	{ "epoll", "epoll_create1(0)" },
	{ "eventfd", "eventfd2(1, O_NONBLOCK)" },
	{ "timerfd", "timerfd_create(CLOCK_MONOTONIC, O_NONBLOCK)" },
	{ "signalfd", "signalfd4(0xffffffff, &{0xffffffff}, 8, O_NONBLOCK)" },
	{ "inotify", "inotify_init1(O_NONBLOCK)" },
	{ "fanotify", "fanotify_init(FAN_NONBLOCK, 0)" },
	{ "fanotify", "fanotify_init(0xe02, 0)" },
	{ "memfd", "memfd_create(\"m\", MFD_ALLOW_SEALING)" },
	{ "pidfd", "pidfd_open(%self, 0)" },
	{ "tty", "open(\"/dev/ptmx\", O_RDWR|O_NONBLOCK, 0)" },
	{ "uinput", "open_uinput(&{0x6e69752f7665642f, 0x747570}, O_RDWR|O_NONBLOCK, 0)" },
	{ "evdev", "open_event(&{0x706e692f7665642f, 0x746e6576652f7475, 0x30}, O_RDWR|O_NONBLOCK, 0)" },
	{ "evdev", "open_mice(&{0x706e692f7665642f, 0x6563696d2f7475}, O_RDWR|O_NONBLOCK, 0)" },
	{ "block", "open_loop(&{0x6f6f6c2f7665642f, 0x3070}, O_RDWR|O_NONBLOCK, 0)" },
	{ "block", "open_loop(&{0x6f6f6c2f7665642f, 0x3170}, O_RDWR|O_NONBLOCK, 0)" },
	{ "block", "open_loop_control(&{0x6f6f6c2f7665642f, 0x6f72746e6f632d70, 0x6c}, O_RDWR|O_NONBLOCK, 0)" },
	{ "block", "open_disk(&{0x6164762f7665642f, 0}, O_RDWR, 0)" },
	{ "vduse", "open_vduse_control(&{0x7564762f7665642f, 0x72746e6f632f6573, 0x6c6f}, O_RDWR|O_NONBLOCK, 0)" },
	{ "vduse", "open_vduse(&{0x7564762f7665642f, 0x612f6573}, O_RDWR|O_NONBLOCK, 0)" },
	{ "fuse", "open_fuse(&{0x7375662f7665642f, 0x65}, O_RDWR|O_NONBLOCK, 0)" },
	{ "fuse", "open_cuse(&{0x7375632f7665642f, 0x65}, O_RDWR|O_NONBLOCK, 0)" },
	{ "vfio", "open_vfio(&{0x6966762f7665642f, 0x6f6966762f6f}, O_RDWR|O_NONBLOCK, 0)" },
	{ "pid", "fork()" },
	{ "pid", "clone(SIGCHLD, 0, 0, 0, 0)" },
	{ "pid", "clone(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD, @0x8000, 0, 0, 0)" },
	{ "listener", "seccomp_listener(1, 8, &{3, &{0x20:2, 0:1, 0:1, 0:4, 0x15:2, 0:1, 1:1, 39:4, 6:2, 0:2, 0x7fc00000:4}})" },
	{ "timer", "timer_create(CLOCK_MONOTONIC, 0, &out(8))" },
	{ "brk", "brk(0)" },
	{ "aio", "io_setup(4, &{0})" },
	{ "uring", "io_uring_setup(4, &{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})" },
	{ "mqueue", "mq_open(\"a\", O_RDWR|O_CREAT|O_NONBLOCK, 0600, 0)" },
	{ "shm", "shmget(IPC_PRIVATE, 0x8000, 0600)" },
	{ "sem", "semget(IPC_PRIVATE, 3, 0600)" },
	{ "msg", "msgget(IPC_PRIVATE, 0600)" },
	{ "key", "add_key(&{0x676e697279656b}, &{0x61}, 0, 0, 0xfffffffe)" },
	NETWORK_PRODUCERS
	{ NULL, NULL },
};

/* What the C type and the name of an argument say. */
static const struct kind *
argument_kind(const char *type, const char *name)
{
	static const struct {
		const char *name, *kind;
	} by_name[] = {
		{ "fd", "fd" }, { "in", "fd" }, { "out", "fd" }, { "pidfd", "pidfd" }, { "epfd", "epoll" },
		{ "dirfd", "dir" }, { "olddir", "dir" }, { "newdir", "dir" }, { "pid", "pid" }, { "tid", "pid" },
		{ "pgid", "pid" }, { "pid1", "pid" }, { "pid2", "pid" }, { "signo", "signal" }, { "uid", "id" },
		{ "gid", "id" }, { "count", "length" }, { "size", "length" }, { "length", "length" },
	};
	bool pointer = strchr(type, '*') != NULL;

	if (pointer && strstr(type, "const char"))
		return kind_of(strcmp(name, "buf") == 0 || strcmp(name, "value") == 0 ? "bytes" : "path");
	if (pointer && strstr(type, "const void"))
		return kind_of("bytes");
	if (pointer)
		return kind_of(strcmp(name, "buf") == 0 ? "out" : "out256");
	if (strcmp(type, "mode_t") == 0)
		return kind_of("modes");
	if (strcmp(type, "uid_t") == 0 || strcmp(type, "gid_t") == 0)
		return kind_of("id");
	if (strcmp(type, "pid_t") == 0)
		return kind_of("pid");
	for (unsigned int i = 0; i < sizeof(by_name) / sizeof(by_name[0]); i++)
		if (strcmp(by_name[i].name, name) == 0)
			return kind_of(by_name[i].kind);
	return kind_of("int");
}

static const struct kind *
named_kind(char *name)
{
	static struct kind numbers[256];
	static unsigned int used;

	if (name[0] == 'c' && name[1] == ':') {
		numbers[used] = (struct kind){ .name = "c", .type = KIND_CONST, .n = strtoull(name + 2, NULL, 0) };
		return &numbers[used++];
	}
	return kind_of(name);
}

static void
bad(const char *line)
{
	report("table.c: wrong: %s", line);
	exit(2);
}

static int
argument_of(const struct desc *d, const char *name)
{
	for (unsigned int i = 0; i < d->args; i++)
		if (strcmp(d->arg[i], name) == 0)
			return (int)i;
	return -1;
}

/* "file|dir", or "pipe:fds": the words stored through that argument. */
static void
read_result(struct desc *d, char *word, const char *line)
{
	char *argument = strchr(word, ':');
	uint64_t sorts = 0;

	if (argument)
		*argument++ = '\0';
	for (char *save, *s = strtok_r(word, "|", &save); s; s = strtok_r(NULL, "|", &save))
		sorts |= kind_of(s)->resource;
	if (!argument) {
		d->returns = sorts;
		return;
	}
	d->out = sorts;
	d->out_arg = argument_of(d, argument);
	if (d->out_arg < 0)
		bad(line);
}

static void
refine(const char *line)
{
	char text[256], *save, *word, *equals;
	struct desc *d;
	int a;

	strcpy(text, line);
	word = strtok_r(text, " ", &save);
	d = (struct desc *)desc_named(word, strlen(word));
	if (!d)
		bad(line);
	while ((word = strtok_r(NULL, " ", &save))) {
		if (strcmp(word, ">") == 0) {
			read_result(d, strtok_r(NULL, " ", &save), line);
			continue;
		}
		equals = strchr(word, '=');
		if (!equals)
			bad(line);
		*equals = '\0';
		a = argument_of(d, word);
		if (a < 0)
			bad(line);
		d->kind[a] = named_kind(equals + 1);
	}
}

const struct desc *
desc_named(const char *name, size_t length)
{
	for (unsigned int i = 0; i < desc_count; i++)
		if (strlen(descs[i].name) == length && memcmp(descs[i].name, name, length) == 0)
			return &descs[i];
	return NULL;
}

bool
descs_choose(const char *names)
{
	for (unsigned int i = 0; i < desc_count; i++)
		descs[i].chosen = false;
	for (; *names; names += *names == ',') {
		size_t length = strcspn(names, ",");
		struct desc *d = (struct desc *)desc_named(names, length);

		if (!d)
			return false;
		d->chosen = true;
		names += length;
	}
	return true;
}

void descs_init(void);

void
descs_init(void)
{
	static const struct {
		const char *name;
		enum special special;
	} specials[] = {
		{ "fork", SPECIAL_FORK }, { "vfork", SPECIAL_VFORK }, { "clone", SPECIAL_CLONE },
		{ "clone3", SPECIAL_CLONE3 }, { "rt_sigreturn", SPECIAL_SIGRETURN },
	};
	static const char *const rare[] = {
		"exit", "exit_group", "execve", "execveat", "rt_sigreturn", "pause", "rt_sigsuspend", "fork", "clone",
		"vfork", "clone3", "sync", "chroot", "setsid", "reboot",
	};

	for (unsigned int i = 0; i < desc_count; i++) {
		struct desc *d = &descs[i];

		d->out_arg = -1;
		d->chosen = true;
		for (unsigned int a = 0; a < d->args; a++)
			if (d->nr < PSEUDO_FILL)
				d->kind[a] = argument_kind(d->type[a], d->arg[a]);
		for (unsigned int s = 0; s < sizeof(specials) / sizeof(specials[0]); s++)
			if (strcmp(d->name, specials[s].name) == 0)
				d->special = specials[s].special;
		for (unsigned int s = 0; s < sizeof(rare) / sizeof(rare[0]); s++)
			if (strcmp(d->name, rare[s]) == 0)
				d->rare = true;
	}
	for (unsigned int i = 0; i < sizeof(refinements) / sizeof(refinements[0]); i++)
		refine(refinements[i]);
}
