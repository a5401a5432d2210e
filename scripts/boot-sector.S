/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Boot sector of the disk that the nested QEMU gets assigned.
 *
 * The BIOS has read this sector through the disk's own DMA, or it would not
 * run.  It then reads the rest the same way, 32 KiB at a time, computes a sum
 * in which the order of the words counts, and ends QEMU through isa-debug-exit
 * with the verdict.  Text goes to QEMU's debug console.
 *
 * scripts/make-boot-disk fills in the two values at the end.
 */
	.set	DEBUG_CONSOLE, 0xe9
	.set	DEBUG_EXIT, 0xf4
	.set	CHUNK_SECTORS, 64
	.set	CHUNK_WORDS, CHUNK_SECTORS * 512 / 4
	.set	CHUNK_SEGMENT, 0x1000

	/* QEMU's exit status is twice this plus one. */
	.set	VERDICT_MATCH, 0x10
	.set	VERDICT_MISMATCH, 0x20
	.set	VERDICT_READ_ERROR, 0x30

	.code16
	.text
	.globl	_start
_start:
	ljmp	$0, $1f
1:	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %ss
	movw	$0x7c00, %sp
	cld
	movb	%dl, drive
	movw	$text_start, %si
	call	puts

next_chunk:
	movw	$packet, %si
	movb	drive, %dl
	movb	$0x42, %ah
	int	$0x13
	jc	read_error

	movw	$CHUNK_SEGMENT, %ax
	movw	%ax, %es
	xorw	%di, %di
	movw	$CHUNK_WORDS, %cx
	movl	sum, %ebx
1:	roll	$1, %ebx
	addl	%es:(%di), %ebx
	addw	$4, %di
	loop	1b
	movl	%ebx, sum

	movb	$'.', %al
	outb	%al, $DEBUG_CONSOLE
	addl	$CHUNK_SECTORS, packet_lba
	decw	chunks
	jnz	next_chunk

	movl	sum, %ebx
	cmpl	wanted_sum, %ebx
	jne	mismatch
	movw	$text_match, %si
	movl	$VERDICT_MATCH, %ebx
	jmp	finish

mismatch:
	movw	$text_mismatch, %si
	movl	$VERDICT_MISMATCH, %ebx
	jmp	finish

read_error:
	movw	$text_read_error, %si
	movl	$VERDICT_READ_ERROR, %ebx

finish:
	call	puts
	movl	%ebx, %eax
	outl	%eax, $DEBUG_EXIT
1:	hlt
	jmp	1b

puts:
	lodsb
	testb	%al, %al
	jz	1f
	outb	%al, $DEBUG_CONSOLE
	jmp	puts
1:	ret

text_start:
	.asciz	"boot sector: I was read from the disk; reading on "
text_match:
	.asciz	"\nboot sector: the sum of what was read matches\n"
text_mismatch:
	.asciz	"\nboot sector: the sum of what was read is WRONG\n"
text_read_error:
	.asciz	"\nboot sector: READ ERROR\n"

drive:
	.byte	0
sum:
	.long	0

	.balign	4
packet:
	.byte	16, 0
	.word	CHUNK_SECTORS
	.word	0, CHUNK_SEGMENT
packet_lba:
	.long	1, 0

	.org	0x1f8
wanted_sum:
	.long	0
chunks:
	.word	0
	.word	0xaa55
