/* SPDX-License-Identifier: MIT */
/*
 * termios.h - Linux's terminal settings: layouts and numbers, from termios(3) and ioctl_tty(2).
 */
#ifndef TTY_TERMIOS_H
#define TTY_TERMIOS_H

#include <tessera/types.h>

#define NCCS_KERNEL 19

struct termios { /* struct termios of TCGETS, 36 bytes */
	uint32_t iflag, oflag, cflag, lflag;
	uint8_t line;
	uint8_t cc[NCCS_KERNEL];
};
_Static_assert(sizeof(struct termios) == 36, "TCGETS layout");

struct termios2 { /* TCGETS2: the same and two speeds */
	struct termios base;
	uint32_t ispeed, ospeed;
};
_Static_assert(sizeof(struct termios2) == 44, "TCGETS2 layout");

struct termio { /* TCGETA */
	uint16_t iflag, oflag, cflag, lflag;
	uint8_t line;
	uint8_t cc[8];
};

struct winsize {
	uint16_t rows, columns, x_pixels, y_pixels;
};

/* cc[] */
enum {
	VINTR, VQUIT, VERASE, VKILL, VEOF, VTIME, VMIN, VSWTC, VSTART, VSTOP, VSUSP, VEOL, VREPRINT,
	VDISCARD, VWERASE, VLNEXT, VEOL2,
};

/* iflag */
#define IGNBRK  0000001u
#define BRKINT  0000002u
#define IGNPAR  0000004u
#define PARMRK  0000010u
#define INPCK   0000020u
#define ISTRIP  0000040u
#define INLCR   0000100u
#define IGNCR   0000200u
#define ICRNL   0000400u
#define IUCLC   0001000u
#define IXON    0002000u
#define IXANY   0004000u
#define IXOFF   0010000u
#define IMAXBEL 0020000u
#define IUTF8   0040000u
/* oflag */
#define OPOST   0000001u
#define OLCUC   0000002u
#define ONLCR   0000004u
#define OCRNL   0000010u
#define ONOCR   0000020u
#define ONLRET  0000040u
#define TABDLY  0014000u
#define XTABS   0014000u
/* cflag */
#define CBAUD   0010017u
#define B0      0000000u
#define B38400  0000017u
#define B115200 0010002u
#define CSIZE   0000060u
#define CS8     0000060u
#define CREAD   0000200u
#define PARENB  0000400u
#define HUPCL   0002000u
#define CLOCAL  0004000u
/* lflag */
#define ISIG    0000001u
#define ICANON  0000002u
#define XCASE   0000004u
#define ECHO    0000010u
#define ECHOE   0000020u
#define ECHOK   0000040u
#define ECHONL  0000100u
#define NOFLSH  0000200u
#define TOSTOP  0000400u
#define ECHOCTL 0001000u
#define ECHOPRT 0002000u
#define ECHOKE  0004000u
#define FLUSHO  0010000u
#define PENDIN  0040000u
#define IEXTEN  0100000u
#define EXTPROC 0200000u

#define CC_DISABLED 0 /* _POSIX_VDISABLE */

/* ioctl numbers */
#define TCGETS     0x5401
#define TCSETS     0x5402
#define TCSETSW    0x5403
#define TCSETSF    0x5404
#define TCGETA     0x5405
#define TCSETA     0x5406
#define TCSETAW    0x5407
#define TCSETAF    0x5408
#define TCSBRK     0x5409
#define TCXONC     0x540a
#define TCFLSH     0x540b
#define TIOCEXCL   0x540c
#define TIOCNXCL   0x540d
#define TIOCSCTTY  0x540e
#define TIOCGPGRP  0x540f
#define TIOCSPGRP  0x5410
#define TIOCOUTQ   0x5411
#define TIOCGSOFTCAR 0x5419
#define TIOCSSOFTCAR 0x541a
#define TIOCSBRK   0x5427
#define TIOCCBRK   0x5428
#define TIOCSTI    0x5412
#define TIOCGWINSZ 0x5413
#define TIOCSWINSZ 0x5414
#define TIOCMGET   0x5415
#define TIOCMBIS   0x5416
#define TIOCMBIC   0x5417
#define TIOCMSET   0x5418
#define TIOCINQ    0x541b
#define TIOCCONS   0x541d
#define TIOCPKT    0x5420
#define TIOCNOTTY  0x5422
#define TIOCSETD   0x5423
#define TIOCGETD   0x5424
#define TCSBRKP    0x5425
#define TIOCGSID   0x5429
#define TCGETS2    0x802c542au
#define TCSETS2    0x402c542bu
#define TCSETSW2   0x402c542cu
#define TCSETSF2   0x402c542du
#define TIOCGPTN   0x80045430u
#define TIOCSPTLCK 0x40045431u
#define TIOCGDEV   0x80045432u
#define TIOCSIG    0x40045436u
#define TIOCVHANGUP 0x5437
#define TIOCGPKT   0x80045438u
#define TIOCGPTLCK 0x80045439u
#define TIOCGEXCL  0x80045440u
#define TIOCGLCKTRMIOS 0x5456
#define TIOCSLCKTRMIOS 0x5457
#define TIOCGPTPEER 0x5441

/* TIOCPKT status bits */
#define PACKET_FLUSHREAD  0x01
#define PACKET_FLUSHWRITE 0x02
#define PACKET_STOP       0x04
#define PACKET_START      0x08
#define PACKET_NOSTOP     0x10
#define PACKET_DOSTOP     0x20
#define PACKET_IOCTL      0x40

#endif
