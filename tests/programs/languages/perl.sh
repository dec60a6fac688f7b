#!/bin/sh
# Perl 5.36: fork, pipes, signals, select, sockets, sorting, regular expressions.
perl -MPOSIX -MSocket -MFile::Temp=tempdir -MFile::Find -MTime::HiRes=usleep,alarm -MStorable -MIO::Select <<'PERL'
use strict; use warnings; $| = 1;
my @words = sort { $a cmp $b } map { join '', reverse split // } qw(alpha beta gamma); print "@words\n";
pipe(my $r, my $w) or die; my $pid = fork // die;
if (!$pid) { close $r; syswrite $w, "child " . getppid() . "\n"; POSIX::_exit(7) }
close $w; my $line = <$r>; print "from child: ", ($line eq "child $$\n" ? "right" : "wrong"), "\n";
waitpid $pid, 0; print WIFEXITED($?), " ", WEXITSTATUS($?), "\n";
$SIG{ALRM} = sub { die "alarm\n" }; eval { alarm 0.5; select undef, undef, undef, 1000; }; print "caught $@";
$SIG{USR1} = sub { print "usr1\n" }; kill USR1 => $$;
my $set = POSIX::SigSet->new(SIGUSR1); sigprocmask(SIG_BLOCK, $set); kill USR1 => $$; print "blocked\n"; sigprocmask(SIG_UNBLOCK, $set);
socketpair(my $a, my $b, AF_UNIX, SOCK_STREAM, PF_UNSPEC) or die; syswrite $a, "over the socket\n"; my $got = <$b>; print $got;
my $s = IO::Select->new($b); print "readable: ", scalar(my @x = $s->can_read(0)), "\n"; close $a; print "closed: ", scalar(@x = $s->can_read(0)), "\n";
my $dir = tempdir(CLEANUP => 1); mkdir "$dir/$_" for 1 .. 3; open my $f, '>', "$dir/2/file" or die; print $f "x" x 100000; close $f;
my @found; find(sub { push @found, substr $File::Find::name, length $dir }, $dir); print join(" ", sort @found), " ", -s "$dir/2/file", "\n";
chmod 0640, "$dir/2/file"; printf "%o\n", (stat "$dir/2/file")[2]; utime 1, 2, "$dir/2/file"; print join(",", (stat "$dir/2/file")[8, 9]), "\n";
store { a => [1 .. 3] }, "$dir/s"; print "@{ retrieve(\"$dir/s\")->{a} }\n";
my $out = `printf 'c\nb\na\n' | sort`; print $out; system "sh", "-c", "exit 3"; print $? >> 8, "\n"; system { "sh" } "sh", "-c", 'kill -9 $$'; print $? & 127, "\n";
print "ok\n" if "2024-02-29" =~ /^(?<y>\d{4})-(?<m>\d\d)-(?<d>\d\d)$/ && $+{d} == 29; print strftime("%Y-%m-%d", gmtime 86400 * 365), "\n";
my @u = uname; print "$u[0] $u[4]\n"; print join(" ", (getpwnam "root")[2, 7, 8]), "\n"; print sysconf(_SC_PAGESIZE), "\n";
opendir my $d, "/proc/self/fd" or die; print "descriptors\n" if 3 <= grep /^\d+$/, readdir $d;
PERL
